package io.featureduck.migrate;

import io.featureduck.migrate.ValueStats.Kind;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Finds the type that holds all values of a feature exactly, or says why someone has to choose. */
final class Inference {
  private static final int DIGITS_MAX = 38;

  private static final Kind[] NUMBERS = {
    Kind.SMALL,
    Kind.INT64,
    Kind.INT64_ONLY,
    Kind.LARGE,
    Kind.LARGE_ONLY,
    Kind.FRACTION,
    Kind.FRACTION_ONLY
  };

  private Inference() {}

  /** What was found. */
  sealed interface Found {
    /**
     * @param note what people should know of it; empty where nothing is remarkable
     */
    record Type(FeatureType type, String note) implements Found {}

    /**
     * @param why in words, without the feature's name
     */
    record Undecided(String why) implements Found {}
  }

  static Found of(ValueStats values) {
    if (values.hasOnly()) {
      return new Found.Type(Primitive.JSON, "has no values but null: JSON holds whatever comes");
    }
    if (values.hasOnly(Kind.BOOLEAN)) {
      return type(Primitive.BOOL);
    }
    if (values.hasOnly(Kind.STRING, Kind.NON_FINITE)) {
      return type(Primitive.STRING);
    }
    if (values.hasOnly(Kind.ARRAY)) {
      return ofArrays(values);
    }
    if (values.hasOnly(Kind.ARRAY, Kind.OBJECT)) {
      return type(Primitive.JSON);
    }
    if (isNumeric(values)) {
      return ofNumbers(values);
    }
    return new Found.Undecided(
        "is %s: choose a type in a schema file (JSON holds all as they are, STRING takes numbers and booleans as text)"
            .formatted(kinds(values)));
  }

  private static Found type(FeatureType type) {
    return new Found.Type(type, "");
  }

  private static boolean isNumeric(ValueStats values) {
    List<Kind> kinds = new ArrayList<>(List.of(NUMBERS));
    kinds.add(Kind.NON_FINITE);
    return values.hasOnly(kinds.toArray(Kind[]::new));
  }

  private static Found ofNumbers(ValueStats values) {
    if (values.hasOnly(Kind.SMALL, Kind.INT64, Kind.INT64_ONLY)) {
      return type(Primitive.INT64);
    }
    boolean fractions = values.has(Kind.FRACTION, Kind.FRACTION_ONLY, Kind.NON_FINITE);
    boolean doubles = !values.has(Kind.INT64_ONLY, Kind.LARGE_ONLY, Kind.FRACTION_ONLY);
    if (fractions && doubles) {
      return type(Primitive.FLOAT64);
    }
    if (values.has(Kind.NON_FINITE)) {
      return new Found.Undecided(
          "has numbers that no FLOAT64 holds exactly, beside NaN or infinities: choose a type in a schema file (FLOAT64 rounds)");
    }
    if (values.integerDigits() + values.scale() <= DIGITS_MAX) {
      return new Found.Type(
          new FeatureType.Decimal(DIGITS_MAX, values.scale()),
          fractions
              ? "no FLOAT64 holds all its numbers exactly"
              : "no INT64 holds all its numbers");
    }
    if (doubles) {
      return type(Primitive.FLOAT64);
    }
    return new Found.Undecided(
        "has numbers that neither FLOAT64 nor a DECIMAL of 38 digits holds exactly: choose a type in a schema file (FLOAT64 rounds)");
  }

  private static Found ofArrays(ValueStats values) {
    if (values.elements().isEmpty() || values.elements().get().hasOnly()) {
      return new Found.Type(
          Primitive.JSON, "has no elements in its arrays: JSON holds whatever comes");
    }
    ValueStats elements = values.elements().get();
    if (!elements.has(Kind.ARRAY, Kind.OBJECT)
        && of(elements) instanceof Found.Type(FeatureType element, String note)) {
      return new Found.Type(new FeatureType.Array(element), note);
    }
    return new Found.Type(Primitive.JSON, "its arrays hold values of several types");
  }

  private static String kinds(ValueStats values) {
    List<String> kinds = new ArrayList<>();
    long numbers = 0;
    for (Kind kind : NUMBERS) {
      numbers += values.count(kind);
    }
    add(kinds, "a number", numbers);
    add(kinds, "a string", values.count(Kind.STRING) + values.count(Kind.NON_FINITE));
    add(kinds, "a boolean", values.count(Kind.BOOLEAN));
    add(kinds, "an array", values.count(Kind.ARRAY));
    add(kinds, "an object", values.count(Kind.OBJECT));
    return String.join(" and ", kinds);
  }

  private static void add(List<String> kinds, String kind, long count) {
    if (count > 0) {
      String rows = count == 1 ? "1 row" : String.format(Locale.ROOT, "%,d rows", count);
      kinds.add(kind + " in " + rows);
    }
  }
}
