package io.featureduck.run;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rows of a view, computed and written nowhere.
 *
 * @param columns {@code entity_key}, the features, {@code event_timestamp}
 * @param rows values in the order of the columns, as text in DuckDB's form; null where NULL
 */
public record Preview(Instant asOf, List<String> columns, List<List<@Nullable String>> rows) {
  public Preview {
    columns = List.copyOf(columns);
    // List.copyOf refuses nulls.
    List<List<@Nullable String>> copies = new ArrayList<>();
    for (List<@Nullable String> row : rows) {
      copies.add(Collections.unmodifiableList(new ArrayList<>(row)));
    }
    rows = Collections.unmodifiableList(copies);
  }
}
