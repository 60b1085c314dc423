package io.featureduck.plan;

/**
 * Something in a view that can't be computed from its sources.
 *
 * @param pointer a JSON pointer relative to the view, such as {@code /filters/0}
 * @param message what was found, what was expected, and the nearest valid name where there is one
 */
public record PlanMistake(String pointer, String message) {
  @Override
  public String toString() {
    return pointer + ": " + message;
  }
}
