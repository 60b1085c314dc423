package io.featureduck.lookup;

/** Says where JSON of the store is not what was written there. Has no stack: it is about data. */
final class StoredJsonException extends Exception {
  private static final long serialVersionUID = 1L;

  StoredJsonException(String message) {
    super(message, null, false, false);
  }
}
