package io.featureduck.definition;

import java.util.List;

/**
 * Another source's newest row per {@code on} key, put beside each row of the view's source.
 *
 * @param source the name of the joined source; its columns are then {@code <source>.<column>}
 * @param columns which of its columns are taken; all of them where the list is empty
 */
public record Join(String source, Type type, List<On> on, List<String> columns) {
  public Join {
    on = List.copyOf(on);
    columns = List.copyOf(columns);
    if (on.isEmpty()) {
      throw new IllegalArgumentException("join with %s on no column".formatted(source));
    }
  }

  /** A pair of columns that must be equal: one of the view's source, one of the joined source. */
  public record On(String left, String right) {}

  /** Whether a row without partner stays, with NULLs, or goes. */
  public enum Type {
    LEFT,
    INNER
  }
}
