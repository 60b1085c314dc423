package io.featureduck.definition;

/** A text that may hold a password. Only {@link #reveal()} shows it; nothing prints it. */
public record Secret(String reveal) {
  private static final String MASK = "***";

  @Override
  public String toString() {
    return MASK;
  }
}
