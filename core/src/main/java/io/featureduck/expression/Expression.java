package io.featureduck.expression;

import io.featureduck.type.FeatureType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.Optional;

/**
 * A scalar expression. NULL in, NULL out, but where a record says otherwise; comparisons and logic
 * are SQL's, with three values.
 */
public sealed interface Expression {
  /**
   * A column.
   *
   * @param source the joined source that it is of; empty for the view's own source, and for an
   *     aggregation's alias in a projection
   */
  record Column(Optional<String> source, String name) implements Expression {}

  /** The instant that the run computes for; {@code now()} in the config. */
  record AsOf() implements Expression {}

  /** A value that stands in the text. */
  sealed interface Literal extends Expression {}

  record NullLiteral() implements Literal {}

  record BooleanLiteral(boolean value) implements Literal {}

  record IntegerLiteral(BigInteger value) implements Literal {}

  /** An exact number with a point: {@code 0.5} is a DECIMAL(2,1). */
  record DecimalLiteral(BigDecimal value) implements Literal {}

  /** A number with an exponent: FLOAT64. */
  record DoubleLiteral(double value) implements Literal {}

  record TextLiteral(String value) implements Literal {}

  record DateLiteral(LocalDate value) implements Literal {}

  record TimestampLiteral(Instant value) implements Literal {}

  record IntervalLiteral(long amount, Unit unit) implements Literal {}

  /** {@code -operand}. */
  record Negate(Expression operand) implements Expression {}

  /** {@code left operator right}; {@code /} is FLOAT64, and NULL over 0. */
  record Arithmetic(ArithmeticOperator operator, Expression left, Expression right)
      implements Expression {}

  record Comparison(ComparisonOperator operator, Expression left, Expression right)
      implements Expression {}

  /** {@code AND} or {@code OR}. */
  record Logical(LogicalOperator operator, Expression left, Expression right)
      implements Expression {
    /** Returns the conditions joined by AND, in their order; there must be one at least. */
    public static Expression all(List<? extends Expression> conditions) {
      return conditions.stream()
          .<Expression>map(condition -> condition)
          .reduce((left, right) -> new Logical(LogicalOperator.AND, left, right))
          .orElseThrow();
    }
  }

  record Not(Expression operand) implements Expression {}

  /** {@code IS NULL}, or {@code IS NOT NULL} if {@code negated}; never NULL. */
  record IsNull(Expression operand, boolean negated) implements Expression {}

  record In(Expression operand, List<Expression> values, boolean negated) implements Expression {
    public In {
      values = List.copyOf(values);
    }
  }

  record Between(Expression operand, Expression low, Expression high, boolean negated)
      implements Expression {}

  /** {@code LIKE}, without escape character; case matters. */
  record Like(Expression operand, Expression pattern, boolean negated) implements Expression {}

  /**
   * The result of the first branch whose condition is true.
   *
   * @param otherwise NULL where it is empty
   */
  record Case(List<Branch> branches, Optional<Expression> otherwise) implements Expression {
    public Case {
      branches = List.copyOf(branches);
    }

    /** {@code WHEN condition THEN result}. */
    public record Branch(Expression condition, Expression result) {}
  }

  /** A conversion that fails the run where the value doesn't fit. */
  record Cast(Expression operand, FeatureType type) implements Expression {}

  /**
   * A conversion of a feature that fails the run, naming feature and entity, where the value is out
   * of the type's range. The planner makes it; no text does.
   *
   * @param type INT32, INT64 or a DECIMAL
   */
  record CheckedCast(Expression operand, FeatureType type, String feature, KeyText entity)
      implements Expression {}

  /**
   * The text of an entity's key, as {@code io.featureduck.key.EntityKey} makes it. The planner
   * makes it; no text does.
   */
  record KeyText(List<Part> parts) implements Expression {
    public KeyText {
      parts = List.copyOf(parts);
    }

    /** A join key's value, not NULL, with its type. */
    public record Part(Expression value, FeatureType type) {}
  }

  record Call(Function function, List<Expression> arguments) implements Expression {
    public Call {
      arguments = List.copyOf(arguments);
    }
  }

  /** The start of the unit that {@code operand} lies in, in UTC; a TIMESTAMP. */
  record DateTrunc(Unit unit, Expression operand) implements Expression {}

  /** How many borders of the unit lie between {@code from} and {@code to}; INT64. */
  record DateDiff(Unit unit, Expression from, Expression to) implements Expression {}

  /** A part of a date or instant, in UTC; INT64. */
  record Extract(Unit unit, Expression operand) implements Expression {}

  enum ArithmeticOperator {
    ADD("+"),
    SUBTRACT("-"),
    MULTIPLY("*"),
    DIVIDE("/"),
    MODULO("%");

    private final String symbol;

    ArithmeticOperator(String symbol) {
      this.symbol = symbol;
    }

    public String symbol() {
      return symbol;
    }
  }

  enum ComparisonOperator {
    EQUAL("="),
    NOT_EQUAL("<>"),
    LESS("<"),
    LESS_OR_EQUAL("<="),
    GREATER(">"),
    GREATER_OR_EQUAL(">=");

    private final String symbol;

    ComparisonOperator(String symbol) {
      this.symbol = symbol;
    }

    public String symbol() {
      return symbol;
    }
  }

  enum LogicalOperator {
    AND,
    OR
  }

  /** A unit of calendar or clock. */
  enum Unit {
    MICROSECOND,
    MILLISECOND,
    SECOND,
    MINUTE,
    HOUR,
    DAY,
    WEEK,
    MONTH,
    QUARTER,
    YEAR,
    DAY_OF_WEEK,
    DAY_OF_YEAR,
    EPOCH
  }

  /**
   * The functions that every engine has, with how many arguments each takes. COALESCE, LEAST,
   * GREATEST and CONCAT pass over NULLs; LN of what is not above 0 and SQRT of what is below are
   * NULL; LENGTH and SUBSTR count characters, from 1; TRIM drops spaces; REGEXP_MATCHES finds its
   * pattern anywhere.
   */
  enum Function {
    COALESCE(1, Integer.MAX_VALUE),
    NULLIF(2, 2),
    ABS(1, 1),
    ROUND(1, 2),
    FLOOR(1, 1),
    CEIL(1, 1),
    LN(1, 1),
    EXP(1, 1),
    SQRT(1, 1),
    POWER(2, 2),
    LEAST(1, Integer.MAX_VALUE),
    GREATEST(1, Integer.MAX_VALUE),
    LOWER(1, 1),
    UPPER(1, 1),
    LENGTH(1, 1),
    SUBSTR(2, 3),
    TRIM(1, 1),
    CONCAT(1, Integer.MAX_VALUE),
    REGEXP_MATCHES(2, 2);

    private final int argumentsMin;
    private final int argumentsMax;

    Function(int argumentsMin, int argumentsMax) {
      this.argumentsMin = argumentsMin;
      this.argumentsMax = argumentsMax;
    }

    public int argumentsMin() {
      return argumentsMin;
    }

    public int argumentsMax() {
      return argumentsMax;
    }
  }
}
