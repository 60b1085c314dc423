package io.featureduck.store;

import java.sql.SQLException;

/** The computed rows of a run, which can be had once. */
public interface Rows {
  /**
   * Writes each row: the entity key, the features in the view's order, the event time.
   *
   * @return how many there were
   * @throws SQLException from the store, as {@code out} gave it
   * @throws io.featureduck.error.FeatureException where the computation fails, or a value can't be
   *     kept; the message names the entity
   */
  long writeTo(RowWriter out) throws SQLException;

  /** Returns what was left out of the rows, and what was known of erased entities. */
  Retention retention();
}
