package io.featureduck.error;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;

/** Finds the name that a misspelt one was probably meant to be. */
public final class Nearest {
  private Nearest() {}

  /**
   * Returns the name of {@code valid} that takes the fewest edits from {@code wrong}, the first in
   * alphabetical order of several; empty where none is near (more than a third of it differs).
   */
  public static Optional<String> to(String wrong, Collection<String> valid) {
    String asked = wrong.toLowerCase(Locale.ROOT);
    int best = Math.max(1, Math.min(asked.length(), LONGEST) / 3) + 1;
    Optional<String> nearest = Optional.empty();
    for (String name : valid.stream().sorted().toList()) {
      int edits = edits(asked, name.toLowerCase(Locale.ROOT), best);
      if (edits < best) {
        best = edits;
        nearest = Optional.of(name);
      }
    }
    return nearest;
  }

  /** Returns {@code "; did you mean 'orders'?"}, or nothing where no valid name is near. */
  public static String hint(String wrong, Collection<String> valid) {
    return to(wrong, valid).map("; did you mean '%s'?"::formatted).orElse("");
  }

  // Names are at most 63 bytes long, so what is longer resembles none: its comparison isn't worth
  // the square of its length.
  private static final int LONGEST = 80;

  /**
   * Counts the insertions, deletions, replacements and swaps of neighbours between two texts (the
   * optimal string alignment distance), or returns {@code limit} where there are that many.
   */
  private static int edits(String left, String right, int limit) {
    if (Math.abs(left.length() - right.length()) >= limit
        || left.length() > LONGEST
        || right.length() > LONGEST) {
      return limit;
    }
    int[][] cost = new int[left.length() + 1][right.length() + 1];
    for (int i = 0; i <= left.length(); i++) {
      for (int j = 0; j <= right.length(); j++) {
        if (i == 0 || j == 0) {
          cost[i][j] = i + j;
          continue;
        }
        boolean same = left.charAt(i - 1) == right.charAt(j - 1);
        int edits = Math.min(cost[i - 1][j], cost[i][j - 1]) + 1;
        edits = Math.min(edits, cost[i - 1][j - 1] + (same ? 0 : 1));
        if (i > 1
            && j > 1
            && left.charAt(i - 1) == right.charAt(j - 2)
            && left.charAt(i - 2) == right.charAt(j - 1)) {
          edits = Math.min(edits, cost[i - 2][j - 2] + 1);
        }
        cost[i][j] = edits;
      }
    }
    return Math.min(cost[left.length()][right.length()], limit);
  }
}
