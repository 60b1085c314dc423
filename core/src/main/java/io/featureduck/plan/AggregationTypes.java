package io.featureduck.plan;

import io.featureduck.definition.Aggregation;
import io.featureduck.expression.Expression;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Array;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.util.Optional;

/** What aggregations take and give. */
final class AggregationTypes {
  private AggregationTypes() {}

  /**
   * Returns the input, converted where engines would calculate otherwise, with the type of the
   * aggregation's <em>result</em>.
   *
   * @throws TypeMistake where the input's type doesn't fit
   */
  static Typed result(Aggregation aggregation, Optional<Typed> given) {
    if (given.isEmpty()) {
      return new Typed(new Expression.NullLiteral(), Primitive.INT64);
    }
    Typed input = given.get();
    FeatureType type =
        input.type().orElseThrow(() -> new TypeMistake("there is nothing in NULL to aggregate"));
    Expression value = input.expression();
    return switch (aggregation.function()) {
      case COUNT -> new Typed(value, Primitive.INT64);
      case COUNT_DISTINCT, APPROX_COUNT_DISTINCT -> {
        refuse(aggregation, type, type == Primitive.JSON || type instanceof Array);
        yield new Typed(value, Primitive.INT64);
      }
      case SUM -> {
        refuse(aggregation, type, !input.isNumber());
        yield type instanceof Decimal(var unused, var scale)
            ? new Typed(value, new Decimal(38, scale))
            : input.isFloat()
                ? new Typed(asDouble(input), Primitive.FLOAT64)
                : new Typed(value, Primitive.INT64);
      }
      case AVG -> {
        refuse(aggregation, type, !input.isNumber());
        // Exact numbers are added up exactly before the division.
        yield new Typed(input.isFloat() ? asDouble(input) : value, Primitive.FLOAT64);
      }
      case STDDEV, APPROX_PERCENTILE -> {
        refuse(aggregation, type, !input.isNumber());
        yield new Typed(asDouble(input), Primitive.FLOAT64);
      }
      case MIN, MAX -> {
        refuse(aggregation, type, type == Primitive.JSON || type instanceof Array);
        yield new Typed(value, type);
      }
      case FIRST, LAST -> new Typed(value, type);
      case LAST_N -> {
        refuse(aggregation, type, type instanceof Array);
        yield new Typed(value, new Array(type));
      }
    };
  }

  /**
   * Tells whether a sum may leave its type with fewer than 10^17 rows, or 2^32 of INT32: then it is
   * checked, and the entity named.
   */
  static boolean sumMayOverflow(Typed input) {
    return input.type().orElseThrow() instanceof Decimal(var precision, var unused)
        ? precision > 20
        : input.type().equals(Optional.of(Primitive.INT64));
  }

  private static Expression asDouble(Typed input) {
    return input.as(Primitive.FLOAT64).expression();
  }

  private static void refuse(Aggregation aggregation, FeatureType type, boolean refused) {
    if (refused) {
      throw new TypeMistake(
          "%s can't aggregate values of type %s".formatted(aggregation.function().id(), type));
    }
  }
}
