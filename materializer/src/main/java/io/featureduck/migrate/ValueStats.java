package io.featureduck.migrate;

import java.math.BigDecimal;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/** What values a feature has in the old table, or the elements of its arrays: counts by kind. */
final class ValueStats {
  /** What a JSON value is, as far as its type depends on it. */
  enum Kind {
    NULL,
    BOOLEAN,
    STRING,
    /** The string NaN, Infinity or -Infinity. */
    NON_FINITE,
    /** A whole number that any double holds. */
    SMALL,
    /** A whole number of 64 bits that is a double, too. */
    INT64,
    /** A whole number of 64 bits that no double holds. */
    INT64_ONLY,
    /** A larger whole number that a double holds. */
    LARGE,
    /** A larger whole number that no double holds. */
    LARGE_ONLY,
    /** A number with a fraction that a double holds with all its digits. */
    FRACTION,
    /** Another one. */
    FRACTION_ONLY,
    ARRAY,
    OBJECT
  }

  private final Map<Kind, Long> counts = new EnumMap<>(Kind.class);
  private BigDecimal largest = BigDecimal.ZERO;
  private int scale;
  private Optional<ValueStats> elements = Optional.empty();

  /**
   * @param largestOfKind the largest absolute value; 0 where they are no numbers
   * @param scaleOfKind how many digits there are after the point at the most
   */
  void add(Kind kind, long count, BigDecimal largestOfKind, int scaleOfKind) {
    Long ignored = counts.merge(kind, count, Long::sum);
    largest = largest.max(largestOfKind);
    scale = Math.max(scale, scaleOfKind);
  }

  void elements(ValueStats ofElements) {
    elements = Optional.of(ofElements);
  }

  long count(Kind kind) {
    return counts.getOrDefault(kind, 0L);
  }

  /** Returns how many values there are, nulls included. */
  long count() {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  boolean has(Kind... kinds) {
    for (Kind kind : kinds) {
      if (count(kind) > 0) {
        return true;
      }
    }
    return false;
  }

  /** Tells whether there is no value of any other kind; null is none. */
  boolean hasOnly(Kind... kinds) {
    long those = count(Kind.NULL);
    for (Kind kind : kinds) {
      those += count(kind);
    }
    return those == count();
  }

  /** Returns the digits before the point, at the most. */
  int integerDigits() {
    return Math.max(1, largest.precision() - largest.scale());
  }

  int scale() {
    return scale;
  }

  /** Returns what is in the arrays; empty where there are none, or they are all empty. */
  Optional<ValueStats> elements() {
    return elements;
  }
}
