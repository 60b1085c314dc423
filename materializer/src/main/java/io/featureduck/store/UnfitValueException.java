package io.featureduck.store;

/** A value that the online store can't keep; the message says which and why, but not whose. */
public final class UnfitValueException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public UnfitValueException(String message) {
    super(message);
  }
}
