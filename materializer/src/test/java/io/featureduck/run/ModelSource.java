package io.featureduck.run;

import io.featureduck.testing.SourceDatabase;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A source over a {@link ModelTable}: which of its rows count at an instant, and which is newer.
 *
 * @param cursor the event time's column where the config names no cursor
 * @param rowId whether rows are told apart by the table's last column, or by all
 * @param declared types that the config declares, by column
 */
record ModelSource(
    String name,
    ModelTable table,
    String eventTime,
    String cursor,
    boolean rowId,
    boolean incremental,
    String lateness,
    Duration allowedLateness,
    Map<String, String> declared) {

  Map<String, Object> json(SourceDatabase database) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("name", name);
    json.put("source_type", database.sourceType());
    json.put("connection_string", database.connectionString());
    json.put("schema", database.schema());
    json.put("table", table.name());
    json.put("timestamp_field", eventTime);
    if (!cursor.equals(eventTime)) {
      json.put("cursor_field", cursor);
    }
    if (rowId) {
      json.put("row_id", table.id());
    }
    json.put("timezone", table.zone().getId());
    json.put("incremental", incremental);
    json.put("allowed_lateness", lateness);
    json.put("columns", declared);
    return json;
  }

  /** Returns the rows that a run at {@code asOf} takes, join keys aside. */
  List<ModelRow> upTo(Instant asOf) {
    List<ModelRow> rows = new ArrayList<>();
    for (ModelRow row : table.rows()) {
      Optional<Instant> event = time(row, eventTime);
      Optional<Instant> written = time(row, cursor);
      if (event.isPresent()
          && !event.get().isAfter(asOf)
          && written.filter(at -> at.isAfter(asOf)).isEmpty()) {
        rows.add(row);
      }
    }
    return rows;
  }

  /** Returns the newest of {@link #upTo} per value of {@code keys}, none of which may be NULL. */
  Map<List<String>, ModelRow> newest(Instant asOf, List<String> keys) {
    List<ModelRow> rows = upTo(asOf);
    rows.sort(oldestFirst());
    Map<List<String>, ModelRow> newest = new HashMap<>();
    for (ModelRow row : rows) {
      if (keys.stream().noneMatch(row::isNull)) {
        ModelRow ignored = newest.put(values(row, keys), row);
      }
    }
    return newest;
  }

  static List<String> values(ModelRow row, List<String> columns) {
    return columns.stream().map(column -> String.valueOf(row.get(column))).toList();
  }

  /** The total order of rows: event time, cursor, then row_id or all columns. */
  Comparator<ModelRow> oldestFirst() {
    List<String> columns = new ArrayList<>(List.of(eventTime, cursor));
    if (rowId) {
      columns.add(table.id());
    } else {
      table.columns().forEach(column -> columns.add(column.name()));
    }
    return (left, right) -> {
      for (String column : columns) {
        int order = ModelTable.compare(left.get(column), right.get(column));
        if (order != 0) {
          return order;
        }
      }
      return 0;
    };
  }

  Optional<Instant> time(ModelRow row, String column) {
    @Nullable Object value = row.get(column);
    return switch (value) {
      case null -> Optional.empty();
      case LocalDate day -> Optional.of(day.atStartOfDay(table.zone()).toInstant());
      default -> Optional.of((Instant) value);
    };
  }
}
