package io.featureduck.definition;

import java.time.Duration;

/**
 * A window of event time, {@code (as_of - length, as_of]}.
 *
 * @param text as written in the config ({@code 7d}); the feature's name takes it so
 * @param length more than zero
 */
public record Window(String text, Duration length) {
  public Window {
    if (length.isNegative() || length.isZero()) {
      throw new IllegalArgumentException("window of %s: must be longer than 0".formatted(text));
    }
  }

  /**
   * Reads {@code <n>} and {@code s}, {@code m}, {@code h}, {@code d} or {@code w}.
   *
   * @throws IllegalArgumentException where the text is not of that form or not above zero
   */
  public static Window parse(String text) {
    return new Window(text, DurationText.parse(text));
  }
}
