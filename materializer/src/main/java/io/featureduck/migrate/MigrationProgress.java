package io.featureduck.migrate;

/** Hears how far a migration has come. Called by the thread that migrates, often. */
public interface MigrationProgress {
  /** A migration is about to begin with this schema. */
  void begins(Proposal proposal);

  /** A phase begins. */
  void phase(String words);

  /** Rows of a view were copied. */
  void copied(String view, long rows, long ofRows);
}
