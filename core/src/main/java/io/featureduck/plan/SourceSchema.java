package io.featureduck.plan;

import io.featureduck.type.FeatureType;
import java.util.List;
import java.util.Optional;

/** The columns of a source as it really is, in its own order. */
public record SourceSchema(List<Column> columns) {
  public SourceSchema {
    columns = List.copyOf(columns);
  }

  public Optional<Column> column(String name) {
    return columns.stream().filter(column -> column.name().equals(name)).findFirst();
  }

  /**
   * A column.
   *
   * @param type what features made of it have; empty where it has none of ours (its use is refused)
   * @param engineType what the source itself calls the type, for messages
   * @param zoned whether a TIMESTAMP comes with a zone; without one it is read in the source's
   */
  public record Column(String name, Optional<FeatureType> type, String engineType, boolean zoned) {}
}
