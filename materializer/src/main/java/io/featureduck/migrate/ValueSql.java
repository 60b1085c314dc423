package io.featureduck.migrate;

import io.featureduck.store.ViewAdoption;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;

/**
 * Postgres' SQL between a JSON value and the column of a feature. Where {@code json} stands, it is
 * an expression of type jsonb that is neither NULL nor JSON's null.
 */
final class ValueSql {
  /* A cast of JSON rounds (1.5 to BIGINT gives 2), takes 'now' for a time, and fails without saying
   * where. So each is guarded by a condition that says whether the value is one of the type. CASE
   * alone promises an order of evaluation: AND may try the cast first. */

  private static final String MONTH_AND_DAY = "-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
  private static final String DATE = "(?!0000)[0-9]{4}" + MONTH_AND_DAY;
  private static final String TIME =
      "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?"
          + "(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?";
  private static final String BASE64 = "[A-Za-z0-9+/]*={0,2}";
  private static final String NON_FINITE = "('NaN', 'Infinity', '-Infinity')";

  private ValueSql() {}

  /**
   * Returns the condition that the column holds just the value: {@link #json} of it is equal, as
   * JSONB compares.
   */
  static String exact(FeatureType type, String json) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL, INT32, INT64, DATE -> fits(type, json);
            case FLOAT32 -> number(json, isExactIn("real", "1e-37", "3.4e38"), true);
            case FLOAT64 -> number(json, isExactDouble(), true);
            case STRING -> "jsonb_typeof(%s) = 'string'".formatted(json);
            case BYTES ->
                text(
                    json,
                    isBase64()
                        + " THEN replace(encode(decode(t, 'base64'), 'base64'), E'\\n', '') = t");
            case TIMESTAMP -> "false";
            case JSON -> "true";
          };
      case FeatureType.Decimal decimal -> fits(decimal, json);
      case FeatureType.Array(FeatureType element) -> elements(json, exact(element, "e.value"));
    };
  }

  /**
   * Returns the condition that {@link #value} can be had. Where it goes further than {@link
   * #exact}, someone has to ask for it: floats round, texts are read as times, numbers become text.
   */
  static String fits(FeatureType type, String json) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> "jsonb_typeof(%s) = 'boolean'".formatted(json);
            case INT32 -> number(json, isWhole("-2147483648", "2147483647"), false);
            case INT64 ->
                number(json, isWhole("-9223372036854775808", "9223372036854775807"), false);
            case FLOAT32 -> number(json, "n = 0 OR abs(n) BETWEEN 1e-37 AND 3.4e38", true);
            case FLOAT64 -> number(json, "n = 0 OR abs(n) BETWEEN 1e-307 AND 1.7e308", true);
            case STRING -> "jsonb_typeof(%s) IN ('string', 'number', 'boolean')".formatted(json);
            case BYTES -> text(json, isBase64() + " THEN true");
            case DATE -> text(json, matches(DATE) + " THEN " + isDay());
            case TIMESTAMP ->
                text(json, matches(DATE + "([T ]" + TIME + ")?") + " THEN " + isDay());
            case JSON -> "true";
          };
      case FeatureType.Decimal(int precision, int scale) ->
          number(
              json,
              "round(n, %d) = n AND abs(n) < 1e%d".formatted(scale, precision - scale),
              false);
      case FeatureType.Array(FeatureType element) -> elements(json, fits(element, "e.value"));
    };
  }

  /** Returns the value as the column's type has it, where it {@link #fits}. */
  static String value(FeatureType type, String json) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> "(%s)::boolean".formatted(json);
            case INT32 -> "(%s)::integer".formatted(json);
            case INT64 -> "(%s)::bigint".formatted(json);
            // As text, for NaN and the infinities are strings.
            case FLOAT32 -> "(%s #>> '{}')::real".formatted(json);
            case FLOAT64 -> "(%s #>> '{}')::double precision".formatted(json);
            case STRING -> "(%s #>> '{}')".formatted(json);
            case BYTES -> "decode(%s #>> '{}', 'base64')".formatted(json);
            case DATE -> "(%s #>> '{}')::date".formatted(json);
            case TIMESTAMP -> "(%s #>> '{}')::timestamptz".formatted(json);
            case JSON -> json;
          };
      case FeatureType.Decimal decimal ->
          "(%s)::%s".formatted(json, ViewAdoption.columnType(decimal));
      case FeatureType.Array(FeatureType element) ->
          """
          ARRAY(SELECT CASE WHEN jsonb_typeof(e.value) <> 'null' THEN %s END
            FROM jsonb_array_elements(%s) WITH ORDINALITY e (value, place) ORDER BY e.place)\
          """
              .formatted(value(element, "e.value"), json);
    };
  }

  /** Returns a column's value as the old store would have it, as JSONB; NULL stays NULL. */
  static String json(FeatureType type, String column) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL, INT32, INT64, FLOAT32, FLOAT64, STRING, DATE, TIMESTAMP ->
                "to_jsonb(%s)".formatted(column);
            case BYTES -> "to_jsonb(replace(encode(%s, 'base64'), E'\\n', ''))".formatted(column);
            case JSON -> column;
          };
      case FeatureType.Decimal ignored -> "to_jsonb(%s)".formatted(column);
      case FeatureType.Array(FeatureType element) ->
          element == Primitive.BYTES
              ? """
              CASE WHEN %1$s IS NOT NULL THEN (SELECT coalesce(jsonb_agg(%2$s ORDER BY e.place), '[]')
                FROM unnest(%1$s) WITH ORDINALITY e (value, place)) END\
              """
                  .formatted(column, json(element, "e.value"))
              : "to_jsonb(%s)".formatted(column);
    };
  }

  /** Returns the condition that a text that is a day of the calendar is meant by {@code t}. */
  static String isDateText(String text) {
    return "(SELECT CASE WHEN %s THEN %s ELSE false END FROM (SELECT %s) x (t))"
        .formatted(matches(DATE), isDay(), text);
  }

  /** Returns the condition that the number {@code n} is a FLOAT64 with all its digits. */
  static String isExactDouble() {
    return isExactIn("double precision", "1e-307", "1.7e308");
  }

  private static String isWhole(String min, String max) {
    return "trunc(n) = n AND n BETWEEN %s AND %s".formatted(min, max);
  }

  private static String isExactIn(String type, String min, String max) {
    return "n = 0 OR CASE WHEN abs(n) BETWEEN %s AND %s THEN n::%s::text::numeric = n ELSE false END"
        .formatted(min, max, type);
  }

  /**
   * Returns a condition on a number, as {@code n}; where asked for, non-finite texts are ones, too.
   */
  private static String number(String json, String condition, boolean nonFinite) {
    String others =
        nonFinite
            ? "jsonb_typeof(%1$s) = 'string' AND %1$s #>> '{}' IN %2$s".formatted(json, NON_FINITE)
            : "false";
    return "CASE WHEN jsonb_typeof(%1$s) = 'number' THEN (SELECT %2$s FROM (SELECT (%1$s)::numeric) x (n)) ELSE %3$s END"
        .formatted(json, condition, others);
  }

  /** Returns a condition on a text, as {@code t}: {@code WHEN} and what is behind it. */
  private static String text(String json, String when) {
    return "CASE WHEN jsonb_typeof(%1$s) = 'string' THEN (SELECT CASE WHEN %2$s ELSE false END FROM (SELECT %1$s #>> '{}') x (t)) ELSE false END"
        .formatted(json, when);
  }

  private static String matches(String pattern) {
    return "t ~ '^(%s)$'".formatted(pattern);
  }

  private static String isBase64() {
    return matches(BASE64) + " AND length(t) % 4 = 0";
  }

  /** The month of {@code t} has the day; the rest was looked at. */
  private static String isDay() {
    return "substr(t, 9, 2)::integer <= extract(day FROM make_date(substr(t, 1, 4)::integer, substr(t, 6, 2)::integer, 1) + INTERVAL '1 month' - INTERVAL '1 day')";
  }

  private static String elements(String json, String condition) {
    return "CASE WHEN jsonb_typeof(%1$s) = 'array' THEN NOT EXISTS (SELECT 1 FROM jsonb_array_elements(%1$s) e WHERE jsonb_typeof(e.value) <> 'null' AND NOT (%2$s)) ELSE false END"
        .formatted(json, condition);
  }
}
