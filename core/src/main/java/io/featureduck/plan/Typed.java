package io.featureduck.plan;

import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.DecimalLiteral;
import io.featureduck.expression.Expression.DoubleLiteral;
import io.featureduck.expression.Expression.IntegerLiteral;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.util.Optional;

/**
 * An expression whose columns exist, with its type.
 *
 * @param type empty for NULL, which fits everywhere
 */
record Typed(Expression expression, Optional<FeatureType> type) {
  Typed(Expression expression, FeatureType type) {
    this(expression, Optional.of(type));
  }

  boolean is(Primitive wanted) {
    return type.isEmpty() || type.get() == wanted;
  }

  boolean isNumber() {
    return type.isEmpty() || isNumber(type.get());
  }

  boolean isWhole() {
    return type.isEmpty() || isWhole(type.get());
  }

  boolean isFloat() {
    return type.isPresent() && isFloat(type.get());
  }

  boolean isTime() {
    return is(Primitive.DATE) || is(Primitive.TIMESTAMP);
  }

  boolean isNumberLiteral() {
    return expression instanceof IntegerLiteral
        || expression instanceof DecimalLiteral
        || expression instanceof DoubleLiteral;
  }

  /** Returns the type as messages name it. */
  String typeName() {
    return type.map(Object::toString).orElse("NULL");
  }

  /** Returns the DECIMAL that holds all values of this exact number. */
  Decimal decimal() {
    if (expression instanceof IntegerLiteral(var value)) {
      return new Decimal(Math.max(1, value.abs().toString().length()), 0);
    }
    return switch (type.orElse(Primitive.INT32)) {
      case Decimal decimal -> decimal;
      case Primitive primitive when primitive == Primitive.INT32 -> new Decimal(10, 0);
      default -> new Decimal(19, 0);
    };
  }

  /** Converts to {@code wanted}; numbers in the text are left for the engine to convert. */
  Typed as(FeatureType wanted) {
    if (type.isEmpty() || type.get().equals(wanted)) {
      return this;
    }
    if (isNumberLiteral()) {
      return new Typed(expression, wanted);
    }
    return new Typed(new Expression.Cast(expression, wanted), wanted);
  }

  static boolean isNumber(FeatureType type) {
    return isWhole(type) || isFloat(type) || type instanceof Decimal;
  }

  static boolean isWhole(FeatureType type) {
    return type == Primitive.INT32 || type == Primitive.INT64;
  }

  static boolean isFloat(FeatureType type) {
    return type == Primitive.FLOAT32 || type == Primitive.FLOAT64;
  }
}
