package io.featureduck.run;

import java.util.List;
import java.util.Optional;

/**
 * Whether a source has an index for rows that incremental runs look up.
 *
 * @param source its name
 * @param columns by which rows are looked up
 * @param rows what they are, in words
 * @param remedy the statement that makes the index which lacks; empty where none does, or what is
 *     read can have none of its own
 */
public record IndexCheck(
    String source, List<String> columns, String rows, Optional<String> remedy) {
  public IndexCheck {
    columns = List.copyOf(columns);
  }
}
