package io.featureduck.source;

import io.featureduck.definition.Source;
import java.util.List;

/**
 * A way in which incremental runs look up rows of a source; an index that begins with one of the
 * columns serves it.
 */
public record LookupPath(Source source, Use use, List<String> columns) {
  public LookupPath {
    columns = List.copyOf(columns);
    if (columns.isEmpty()) {
      throw new IllegalArgumentException(
          "rows of source %s looked up by no column".formatted(source.name()));
    }
  }

  /** How the columns are compared. */
  public enum Use {
    /** The column, of instants, with two of them. */
    RANGE,

    /** The columns with some values. */
    KEYS
  }
}
