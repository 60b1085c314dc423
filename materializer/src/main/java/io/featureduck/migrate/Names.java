package io.featureduck.migrate;

import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** Names for what the old store called otherwise than a view or a feature may be called. */
final class Names {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,47}");
  private static final Pattern HUMP = Pattern.compile("([a-z0-9])([A-Z])");
  private static final Pattern OTHER = Pattern.compile("[^a-z0-9]+");
  private static final int LENGTH_MAX = 48;

  /** Names that no feature can have, for every online table has such a column. */
  static final Set<String> RESERVED = Set.of("entity_key", "event_timestamp", "updated_at");

  /** A name that no view can have, for it is a path of the server. */
  static final String RESERVED_VIEW = "features";

  private Names() {}

  /** Tells whether {@code text} follows the rule for names. */
  static boolean isName(String text) {
    return NAME.matcher(text).matches() && !text.contains("__");
  }

  /**
   * Returns a name that follows the rule and is none of {@code taken}: {@code old} itself if it is
   * one, else one that resembles it, such as {@code total_spent} for {@code Total Spent}.
   *
   * @param prefix for what would begin with a digit, or with nothing
   */
  static String of(String old, String prefix, Set<String> taken) {
    if (isName(old) && !taken.contains(old)) {
      return old;
    }
    String snake = HUMP.matcher(old).replaceAll("$1_$2").toLowerCase(Locale.ROOT);
    String plain = strip(OTHER.matcher(snake).replaceAll("_"));
    String name = plain.isEmpty() ? prefix : plain;
    if (!Character.isLetter(name.charAt(0))) {
      name = prefix + "_" + name;
    }
    name = strip(name.substring(0, Math.min(LENGTH_MAX, name.length())));
    String candidate = name;
    for (int i = 2; taken.contains(candidate); i++) {
      String suffix = "_" + i;
      candidate =
          strip(name.substring(0, Math.min(name.length(), LENGTH_MAX - suffix.length()))) + suffix;
    }
    return candidate;
  }

  private static String strip(String name) {
    int start = 0;
    int end = name.length();
    while (start < end && name.charAt(start) == '_') {
      start++;
    }
    while (end > start && name.charAt(end - 1) == '_') {
      end--;
    }
    return name.substring(start, end);
  }
}
