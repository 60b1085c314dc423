package io.featureduck.store;

import java.util.Locale;

/** What a run is doing. A run that is tried again comes through the later ones again. */
public enum RunStage {
  /** For its turn: only so many runs compute at once. */
  WAITING,
  /** Sources are looked at, and the view is planned. */
  PLANNING,
  /** Rows of the sources are counted or fetched. */
  READING,
  /** The engine works towards its first row. */
  COMPUTING,
  /** Computed rows go to the store, while the rest of them is computed. */
  COPYING,
  /** The store compares what came with what it has, and writes what differs. */
  WRITING,
  /** A new table is put in the old one's place, and all becomes visible. */
  COMMITTING;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Returns the name in records and answers. */
  public String id() {
    return id;
  }
}
