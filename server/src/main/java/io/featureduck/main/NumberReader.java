package io.featureduck.main;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads an option's whole number and refuses what is out of range, as a wrong use. */
abstract class NumberReader implements ITypeConverter<Integer> {
  private final int min;
  private final int max;

  private NumberReader(int min, int max) {
    this.min = min;
    this.max = max;
  }

  @Override
  public final Integer convert(String value) {
    try {
      int number = Integer.parseInt(value);
      if (number >= min && number <= max) {
        return number;
      }
    } catch (NumberFormatException e) {
      throw refused(value);
    }
    throw refused(value);
  }

  private TypeConversionException refused(String value) {
    return new TypeConversionException(
        "'%s' is no whole number from %d to %d".formatted(value, min, max));
  }

  /** A TCP port, or 0 for a free one. */
  static final class Port extends NumberReader {
    Port() {
      super(0, 65_535);
    }
  }

  /** How many runs to list. */
  static final class Limit extends NumberReader {
    Limit() {
      super(1, 1_000);
    }
  }

  /** How many rows to take at once. */
  static final class BatchRows extends NumberReader {
    BatchRows() {
      super(1, 1_000_000);
    }
  }
}
