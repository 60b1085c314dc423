package io.featureduck.migrate;

/** What became of an attempt to change the old table; but for DONE nothing was changed. */
enum Attempt {
  DONE,
  /** A transaction has the table. */
  IN_USE,
  /** More waits to be taken over than others could be made to wait for. */
  MORE,
  /** The table was emptied, so its rows have to be copied and compared anew. */
  ANEW
}
