package io.featureduck.plan;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.Arithmetic;
import io.featureduck.expression.Expression.ArithmeticOperator;
import io.featureduck.expression.Expression.Call;
import io.featureduck.expression.Expression.Case;
import io.featureduck.expression.Expression.IntervalLiteral;
import io.featureduck.expression.Expression.TextLiteral;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Array;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Finds an expression's type by our own rules, so that it doesn't depend on the engine, and writes
 * conversions out where engines would differ: 32-bit arithmetic is done in 64 bits, dates beside
 * instants become instants, and so on. Columns come out as they are really named.
 *
 * <p>Example: {@code quantity * 2 > created_on} is refused, {@code created_on < now()} becomes
 * {@code CAST(created_on AS TIMESTAMP) < now()}.
 */
final class ExpressionTyper {
  private static final int DIGITS_MAX = 38;

  private final Scope scope;

  ExpressionTyper(Scope scope) {
    this.scope = scope;
  }

  /**
   * @throws TypeMistake saying what does not fit
   */
  Typed type(Expression expression) {
    return switch (expression) {
      case Expression.Column column -> scope.resolve(column);
      case Expression.AsOf asOf -> {
        scope.useAsOf();
        yield new Typed(asOf, Primitive.TIMESTAMP);
      }
      case Expression.NullLiteral literal -> new Typed(literal, Optional.empty());
      case Expression.BooleanLiteral literal -> new Typed(literal, Primitive.BOOL);
      case Expression.IntegerLiteral literal -> new Typed(literal, whole(literal));
      case Expression.DecimalLiteral literal -> new Typed(literal, exact(literal));
      case Expression.DoubleLiteral literal -> new Typed(literal, Primitive.FLOAT64);
      case TextLiteral literal -> new Typed(literal, Primitive.STRING);
      case Expression.DateLiteral literal -> new Typed(literal, Primitive.DATE);
      case Expression.TimestampLiteral literal -> new Typed(literal, Primitive.TIMESTAMP);
      case IntervalLiteral unused ->
          throw new TypeMistake("an interval can only be added to a time, or taken from one");
      case Expression.Negate(var operand) -> {
        Typed value = widened(number(type(operand), "-"));
        yield new Typed(new Expression.Negate(value.expression()), value.type());
      }
      case Arithmetic arithmetic -> arithmetic(arithmetic);
      case Expression.Comparison(var operator, var left, var right) -> {
        List<Typed> sides = comparable(List.of(type(left), type(right)), operator.symbol());
        yield bool(
            new Expression.Comparison(
                operator, sides.get(0).expression(), sides.get(1).expression()));
      }
      case Expression.Logical(var operator, var left, var right) ->
          bool(
              new Expression.Logical(
                  operator, condition(left, operator.name()), condition(right, operator.name())));
      case Expression.Not(var operand) -> bool(new Expression.Not(condition(operand, "NOT")));
      case Expression.IsNull(var operand, var negated) ->
          bool(new Expression.IsNull(type(operand).expression(), negated));
      case Expression.In(var operand, var values, var negated) -> {
        List<Typed> all = new ArrayList<>(List.of(type(operand)));
        values.forEach(value -> all.add(type(value)));
        List<Expression> sides = expressions(comparable(all, "IN"));
        yield bool(new Expression.In(sides.get(0), sides.subList(1, sides.size()), negated));
      }
      case Expression.Between(var operand, var low, var high, var negated) -> {
        List<Expression> sides =
            expressions(comparable(List.of(type(operand), type(low), type(high)), "BETWEEN"));
        yield bool(new Expression.Between(sides.get(0), sides.get(1), sides.get(2), negated));
      }
      case Expression.Like(var operand, var pattern, var negated) ->
          bool(
              new Expression.Like(
                  string(type(operand), "LIKE"), string(type(pattern), "LIKE"), negated));
      case Case chosen -> chosen(chosen);
      case Expression.Cast(var operand, var wanted) -> cast(type(operand), wanted);
      case Expression.CheckedCast checked -> new Typed(checked, checked.type());
      case Expression.KeyText text -> new Typed(text, Primitive.STRING);
      case Call call -> call(call);
      case Expression.DateTrunc(var unit, var operand) ->
          new Typed(
              new Expression.DateTrunc(unit, instant(type(operand), "DATE_TRUNC")),
              Primitive.TIMESTAMP);
      case Expression.DateDiff(var unit, var from, var to) ->
          new Typed(
              new Expression.DateDiff(
                  unit, instant(type(from), "DATE_DIFF"), instant(type(to), "DATE_DIFF")),
              Primitive.INT64);
      case Expression.Extract(var unit, var operand) ->
          new Typed(
              new Expression.Extract(unit, instant(type(operand), "EXTRACT")), Primitive.INT64);
    };
  }

  /** Types a condition: a BOOL. */
  Typed condition(Expression expression) {
    Typed typed = type(expression);
    if (!typed.is(Primitive.BOOL)) {
      throw new TypeMistake("expected a condition (BOOL): found " + typed.typeName());
    }
    return typed;
  }

  private Expression condition(Expression expression, String of) {
    Typed typed = type(expression);
    return require(typed, typed.is(Primitive.BOOL), of, "BOOL").expression();
  }

  private static FeatureType whole(Expression.IntegerLiteral literal) {
    int digits = literal.value().abs().toString().length();
    if (digits > DIGITS_MAX) {
      throw new TypeMistake("%s has more than 38 digits".formatted(literal.value()));
    }
    return literal.value().bitLength() < Long.SIZE ? Primitive.INT64 : new Decimal(digits, 0);
  }

  private static FeatureType exact(Expression.DecimalLiteral literal) {
    int scale = Math.max(0, literal.value().scale());
    int digits = Math.max(literal.value().precision(), scale);
    if (digits > DIGITS_MAX) {
      throw new TypeMistake("%s has more than 38 digits".formatted(literal.value()));
    }
    return new Decimal(digits, scale);
  }

  private static Typed bool(Expression expression) {
    return new Typed(expression, Primitive.BOOL);
  }

  private Typed arithmetic(Arithmetic arithmetic) {
    ArithmeticOperator operator = arithmetic.operator();
    boolean sum = operator == ArithmeticOperator.ADD || operator == ArithmeticOperator.SUBTRACT;
    if (sum && arithmetic.right() instanceof IntervalLiteral interval) {
      return new Typed(
          new Arithmetic(operator, instant(type(arithmetic.left()), operator.symbol()), interval),
          Primitive.TIMESTAMP);
    }
    if (operator == ArithmeticOperator.ADD
        && arithmetic.left() instanceof IntervalLiteral interval) {
      return new Typed(
          new Arithmetic(operator, instant(type(arithmetic.right()), "+"), interval),
          Primitive.TIMESTAMP);
    }
    Typed left = type(arithmetic.left());
    Typed right = type(arithmetic.right());
    if (sum && left.type().isPresent() && left.isTime() && right.isTime()) {
      throw new TypeMistake("times can't be subtracted with -: use DATE_DIFF('second', from, to)");
    }
    number(left, operator.symbol());
    number(right, operator.symbol());
    FeatureType result = arithmeticType(operator, left, right);
    if (result == Primitive.INT64) {
      left = widened(left);
      right = widened(right);
    } else if (result == Primitive.FLOAT64) {
      left = left.is(Primitive.FLOAT32) ? left.as(Primitive.FLOAT64) : left;
      right = right.is(Primitive.FLOAT32) ? right.as(Primitive.FLOAT64) : right;
    }
    return new Typed(new Arithmetic(operator, left.expression(), right.expression()), result);
  }

  private static FeatureType arithmeticType(ArithmeticOperator operator, Typed left, Typed right) {
    if (operator == ArithmeticOperator.DIVIDE || left.isFloat() || right.isFloat()) {
      return Primitive.FLOAT64;
    }
    if (left.isWhole() && right.isWhole()) {
      return Primitive.INT64;
    }
    Decimal a = left.decimal();
    Decimal b = right.decimal();
    int scale =
        operator == ArithmeticOperator.MULTIPLY
            ? a.scale() + b.scale()
            : Math.max(a.scale(), b.scale());
    int before = Math.max(a.precision() - a.scale(), b.precision() - b.scale());
    int precision =
        switch (operator) {
          case ADD, SUBTRACT -> before + scale + 1;
          case MULTIPLY -> a.precision() + b.precision();
          case MODULO, DIVIDE -> before + scale;
        };
    if (scale > DIGITS_MAX) {
      throw new TypeMistake(
          "%s %s %s has more than 38 digits after the point: cast one to FLOAT64"
              .formatted(a, operator.symbol(), b));
    }
    return new Decimal(Math.min(DIGITS_MAX, precision), scale);
  }

  /** Whole numbers are calculated with in 64 bits. */
  private static Typed widened(Typed value) {
    return value.type().equals(Optional.of(Primitive.INT32)) ? value.as(Primitive.INT64) : value;
  }

  /** Brings values that are compared to types that every engine compares alike. */
  @CanIgnoreReturnValue
  private static List<Typed> comparable(List<Typed> values, String of) {
    FeatureType common = common(values, of);
    if (common == Primitive.JSON || common instanceof Array) {
      throw new TypeMistake("%s can't compare values of type %s".formatted(of, common));
    }
    return common == Primitive.TIMESTAMP
        ? values.stream().map(value -> value.as(common)).toList()
        : values;
  }

  /** Returns the type that holds all values; BOOL where all are NULL. */
  private static FeatureType common(List<Typed> values, String of) {
    List<Typed> known = values.stream().filter(value -> value.type().isPresent()).toList();
    if (known.isEmpty()) {
      return Primitive.BOOL;
    }
    Typed result = known.getFirst();
    for (Typed next : known.subList(1, known.size())) {
      Typed before = result;
      FeatureType wider =
          wider(before, next)
              .orElseThrow(() ->
                  new TypeMistake(
                      "%s mixes %s and %s: cast one of them"
                          .formatted(of, before.typeName(), next.typeName())));
      result = new Typed(new Expression.NullLiteral(), wider);
    }
    return result.type().orElseThrow();
  }

  private static Optional<FeatureType> wider(Typed left, Typed right) {
    FeatureType a = left.type().orElseThrow();
    FeatureType b = right.type().orElseThrow();
    if (a.equals(b)) {
      return Optional.of(a);
    }
    if (left.isNumber() && right.isNumber()) {
      if (left.isFloat() || right.isFloat()) {
        return Optional.of(Primitive.FLOAT64);
      }
      if (left.isWhole() && right.isWhole()) {
        return Optional.of(Primitive.INT64);
      }
      Decimal x = left.decimal();
      Decimal y = right.decimal();
      int scale = Math.max(x.scale(), y.scale());
      int before = Math.max(x.precision() - x.scale(), y.precision() - y.scale());
      return Optional.of(new Decimal(Math.min(DIGITS_MAX, before + scale), scale));
    }
    return left.isTime() && right.isTime() ? Optional.of(Primitive.TIMESTAMP) : Optional.empty();
  }

  private Typed chosen(Case chosen) {
    List<Expression> conditions = new ArrayList<>();
    List<Typed> results = new ArrayList<>();
    for (Case.Branch branch : chosen.branches()) {
      conditions.add(condition(branch.condition(), "CASE WHEN"));
      results.add(type(branch.result()));
    }
    chosen.otherwise().ifPresent(otherwise -> results.add(type(otherwise)));
    List<Expression> same = expressions(unified(results, "CASE"));
    List<Case.Branch> branches = new ArrayList<>();
    for (int i = 0; i < conditions.size(); i++) {
      branches.add(new Case.Branch(conditions.get(i), same.get(i)));
    }
    return new Typed(
        new Case(branches, chosen.otherwise().map(unused -> same.getLast())),
        commonOrNull(results, "CASE"));
  }

  private static List<Typed> unified(List<Typed> values, String of) {
    FeatureType common = common(values, of);
    return values.stream().map(value -> value.as(common)).toList();
  }

  private static Optional<FeatureType> commonOrNull(List<Typed> values, String of) {
    return values.stream().allMatch(value -> value.type().isEmpty())
        ? Optional.empty()
        : Optional.of(common(values, of));
  }

  /** Checks and writes a conversion. */
  @CanIgnoreReturnValue
  static Typed cast(Typed value, FeatureType wanted) {
    if (value.type().isPresent() && !castable(value.type().get(), wanted)) {
      throw new TypeMistake("%s can't be cast to %s".formatted(value.typeName(), wanted));
    }
    return new Typed(new Expression.Cast(value.expression(), wanted), wanted);
  }

  private static boolean castable(FeatureType from, FeatureType to) {
    if (from.equals(to)) {
      return true;
    }
    if (from instanceof Array(var inner) && to instanceof Array(var wanted)) {
      return castable(inner, wanted);
    }
    if (from instanceof Array || to instanceof Array) {
      return false;
    }
    if (from == Primitive.BYTES || to == Primitive.BYTES) {
      return false;
    }
    if (from == Primitive.STRING || to == Primitive.STRING) {
      return true;
    }
    if (Typed.isNumber(from)) {
      return Typed.isNumber(to) || (Typed.isWhole(from) && to == Primitive.BOOL);
    }
    return (from == Primitive.BOOL && Typed.isWhole(to))
        || (from == Primitive.DATE && to == Primitive.TIMESTAMP)
        || (from == Primitive.TIMESTAMP && to == Primitive.DATE);
  }

  private Typed call(Call call) {
    List<Typed> arguments = call.arguments().stream().map(this::type).toList();
    String name = call.function().name();
    Typed first = arguments.getFirst();
    return switch (call.function()) {
      case COALESCE, LEAST, GREATEST -> {
        if (call.function() != Expression.Function.COALESCE) {
          comparable(arguments, name);
        }
        yield new Typed(
            new Call(call.function(), expressions(unified(arguments, name))),
            commonOrNull(arguments, name));
      }
      case NULLIF ->
          new Typed(
              new Call(call.function(), expressions(comparable(arguments, name))), first.type());
      case ABS -> {
        Typed value = widened(number(first, name));
        yield called(call, List.of(value), value.type().orElse(Primitive.FLOAT64));
      }
      case ROUND -> rounded(call, arguments);
      case FLOOR, CEIL -> {
        number(first, name);
        if (first.isWhole()) {
          yield first;
        }
        yield first.type().orElseThrow() instanceof Decimal(var precision, var unused)
            ? called(call, arguments, new Decimal(precision, 0))
            : called(call, List.of(first.as(Primitive.FLOAT64)), Primitive.FLOAT64);
      }
      case LN, EXP, SQRT, POWER -> {
        arguments.forEach(argument -> number(argument, name));
        yield called(
            call,
            arguments.stream().map(argument -> argument.as(Primitive.FLOAT64)).toList(),
            Primitive.FLOAT64);
      }
      case LOWER, UPPER, TRIM -> {
        string(first, name);
        yield called(call, arguments, Primitive.STRING);
      }
      case LENGTH -> {
        string(first, name);
        yield called(call, arguments, Primitive.INT64);
      }
      case SUBSTR -> {
        string(first, name);
        arguments.stream().skip(1).forEach(a -> require(a, a.isWhole(), name, "a whole number"));
        yield called(call, arguments, Primitive.STRING);
      }
      case CONCAT ->
          called(call, arguments.stream().map(ExpressionTyper::text).toList(), Primitive.STRING);
      case REGEXP_MATCHES -> {
        string(first, name);
        checkPattern(call.arguments().get(1));
        yield called(call, arguments, Primitive.BOOL);
      }
    };
  }

  private static Typed rounded(Call call, List<Typed> arguments) {
    Typed value = number(arguments.getFirst(), "ROUND");
    int digits = 0;
    if (arguments.size() == 2) {
      if (!(arguments.get(1).expression() instanceof Expression.IntegerLiteral(var asked))
          || asked.bitLength() >= Byte.SIZE) {
        throw new TypeMistake("ROUND takes its digits as a number, such as 2");
      }
      digits = asked.intValue();
    }
    if (value.isWhole() && digits >= 0) {
      return value;
    }
    if (value.type().orElseThrow() instanceof Decimal(var precision, var scale)) {
      if (digits >= scale) {
        return value;
      }
      return called(call, arguments, new Decimal(precision, Math.max(0, digits)));
    }
    List<Typed> wide = new ArrayList<>(arguments);
    wide.set(0, value.isWhole() ? widened(value) : value.as(Primitive.FLOAT64));
    return called(call, wide, value.isWhole() ? Primitive.INT64 : Primitive.FLOAT64);
  }

  /** Both engines' pattern languages are alike where Java's can read the pattern. */
  private static void checkPattern(Expression pattern) {
    if (!(pattern instanceof TextLiteral(var text))) {
      throw new TypeMistake("REGEXP_MATCHES takes its pattern as 'text'");
    }
    try {
      Pattern unused = Pattern.compile(text);
    } catch (PatternSyntaxException refused) {
      throw new TypeMistake(
          "'%s' is no pattern: %s at character %d"
              .formatted(text, refused.getDescription(), refused.getIndex() + 1));
    }
  }

  private static Typed text(Typed value) {
    boolean exact =
        value.is(Primitive.STRING)
            || value.isWhole()
            || value.is(Primitive.BOOL)
            || value.is(Primitive.DATE);
    require(value, exact, "CONCAT", "STRING, INT64, BOOL or DATE (cast others)");
    return value.isNumberLiteral() ? cast(value, Primitive.STRING) : value.as(Primitive.STRING);
  }

  private static Typed called(Call call, List<Typed> arguments, FeatureType type) {
    return new Typed(new Call(call.function(), expressions(arguments)), type);
  }

  private static Expression instant(Typed value, String of) {
    return require(value, value.isTime(), of, "DATE or TIMESTAMP")
        .as(Primitive.TIMESTAMP)
        .expression();
  }

  @CanIgnoreReturnValue
  private static Expression string(Typed value, String of) {
    return require(value, value.is(Primitive.STRING), of, "STRING").expression();
  }

  @CanIgnoreReturnValue
  private static Typed number(Typed value, String of) {
    return require(value, value.isNumber(), of, "a number");
  }

  @CanIgnoreReturnValue
  private static Typed require(Typed value, boolean fits, String of, String expected) {
    if (!fits) {
      throw new TypeMistake("%s needs %s: found %s".formatted(of, expected, value.typeName()));
    }
    return value;
  }

  private static List<Expression> expressions(List<Typed> values) {
    return values.stream().map(Typed::expression).toList();
  }
}
