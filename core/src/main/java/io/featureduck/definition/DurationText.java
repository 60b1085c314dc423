package io.featureduck.definition;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Durations as the config writes them: {@code 30s}, {@code 15m}, {@code 1h}, {@code 7d}, {@code
 * 2w}.
 */
public final class DurationText {
  private static final Pattern FORM = Pattern.compile("(\\d{1,9})([smhdw])");

  private DurationText() {}

  /**
   * Reads a duration, which may be zero.
   *
   * @throws IllegalArgumentException naming the text and the form that is expected
   */
  public static Duration parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'%s' is no duration: write a number and s, m, h, d or w, such as 15m".formatted(text));
    }
    long amount = Long.parseLong(matcher.group(1));
    return switch (matcher.group(2).charAt(0)) {
      case 's' -> Duration.ofSeconds(amount);
      case 'm' -> Duration.ofMinutes(amount);
      case 'h' -> Duration.ofHours(amount);
      case 'd' -> Duration.ofDays(amount);
      default -> Duration.ofDays(7 * amount);
    };
  }
}
