package io.featureduck.definition;

import java.util.Locale;

/** How the rows of a view lie in its online table. */
public enum Storage {
  /** A column of its own type for each feature. */
  TYPED,
  /** One column {@code features} with an object of them: JSONB in Postgres, JSON in MySQL. */
  JSONB;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Returns the name in the config. */
  public String id() {
    return id;
  }
}
