package io.featureduck.expression;

import io.featureduck.error.Nearest;
import io.featureduck.expression.Expression.Arithmetic;
import io.featureduck.expression.Expression.ArithmeticOperator;
import io.featureduck.expression.Expression.Call;
import io.featureduck.expression.Expression.Case;
import io.featureduck.expression.Expression.Comparison;
import io.featureduck.expression.Expression.ComparisonOperator;
import io.featureduck.expression.Expression.Logical;
import io.featureduck.expression.Expression.LogicalOperator;
import io.featureduck.expression.Expression.Unit;
import io.featureduck.type.FeatureType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import net.sf.jsqlparser.expression.BinaryExpression;
import net.sf.jsqlparser.expression.BooleanValue;
import net.sf.jsqlparser.expression.CaseExpression;
import net.sf.jsqlparser.expression.CastExpression;
import net.sf.jsqlparser.expression.DateTimeLiteralExpression;
import net.sf.jsqlparser.expression.DateUnitExpression;
import net.sf.jsqlparser.expression.DoubleValue;
import net.sf.jsqlparser.expression.ExtractExpression;
import net.sf.jsqlparser.expression.Function;
import net.sf.jsqlparser.expression.IntervalExpression;
import net.sf.jsqlparser.expression.LongValue;
import net.sf.jsqlparser.expression.NotExpression;
import net.sf.jsqlparser.expression.NullValue;
import net.sf.jsqlparser.expression.SignedExpression;
import net.sf.jsqlparser.expression.StringValue;
import net.sf.jsqlparser.expression.TimeKeyExpression;
import net.sf.jsqlparser.expression.TrimFunction;
import net.sf.jsqlparser.expression.WhenClause;
import net.sf.jsqlparser.expression.operators.arithmetic.Addition;
import net.sf.jsqlparser.expression.operators.arithmetic.Concat;
import net.sf.jsqlparser.expression.operators.arithmetic.Division;
import net.sf.jsqlparser.expression.operators.arithmetic.Modulo;
import net.sf.jsqlparser.expression.operators.arithmetic.Multiplication;
import net.sf.jsqlparser.expression.operators.arithmetic.Subtraction;
import net.sf.jsqlparser.expression.operators.conditional.AndExpression;
import net.sf.jsqlparser.expression.operators.conditional.OrExpression;
import net.sf.jsqlparser.expression.operators.relational.Between;
import net.sf.jsqlparser.expression.operators.relational.EqualsTo;
import net.sf.jsqlparser.expression.operators.relational.ExpressionList;
import net.sf.jsqlparser.expression.operators.relational.GreaterThan;
import net.sf.jsqlparser.expression.operators.relational.GreaterThanEquals;
import net.sf.jsqlparser.expression.operators.relational.InExpression;
import net.sf.jsqlparser.expression.operators.relational.IsNullExpression;
import net.sf.jsqlparser.expression.operators.relational.LikeExpression;
import net.sf.jsqlparser.expression.operators.relational.MinorThan;
import net.sf.jsqlparser.expression.operators.relational.MinorThanEquals;
import net.sf.jsqlparser.expression.operators.relational.NotEqualsTo;
import net.sf.jsqlparser.expression.operators.relational.ParenthesedExpressionList;
import net.sf.jsqlparser.parser.CCJSqlParser;
import net.sf.jsqlparser.parser.CCJSqlParserConstants;
import net.sf.jsqlparser.parser.CCJSqlParserUtil;
import net.sf.jsqlparser.parser.ParseException;
import net.sf.jsqlparser.parser.Token;
import net.sf.jsqlparser.parser.TokenMgrException;
import net.sf.jsqlparser.schema.Column;
import net.sf.jsqlparser.statement.select.Select;

/**
 * Reads SQL text into an {@link Expression}. What is not in the list of things that every engine
 * runs alike is refused with its position, be it good SQL somewhere.
 */
public final class ExpressionParser {
  private static final int LENGTH_MAX = 4_000;
  private static final int DEPTH_MAX = 30;

  private static final List<String> FUNCTIONS =
      Stream.concat(
              Arrays.stream(Expression.Function.values()).map(Enum::name),
              Stream.of("DATE_TRUNC", "DATE_DIFF", "EXTRACT", "NOW", "CAST"))
          .toList();

  private static final DateTimeFormatter TIMESTAMP =
      new DateTimeFormatterBuilder()
          .appendPattern("yyyy-MM-dd[' ']['T']HH:mm:ss")
          .appendFraction(ChronoField.NANO_OF_SECOND, 0, 6, true)
          .optionalStart()
          .appendOffset("+HH:mm", "Z")
          .optionalEnd()
          .optionalStart()
          .appendOffset("+HH", "Z")
          .optionalEnd()
          .toFormatter(Locale.ROOT);

  private final String text;

  private ExpressionParser(String text) {
    this.text = text;
  }

  /**
   * Reads one expression.
   *
   * @throws ExpressionSyntaxException where {@code text} is no expression, or holds what not every
   *     engine can run
   */
  public static Expression parse(String text) {
    return new ExpressionParser(text).parse();
  }

  private Expression parse() {
    if (text.isBlank()) {
      throw error(1, "the expression is empty");
    }
    if (text.length() > LENGTH_MAX) {
      throw error(
          LENGTH_MAX + 1,
          "the expression has %d characters: at most %d are allowed"
              .formatted(text.length(), LENGTH_MAX));
    }
    refuseWhatTheLexerDrops();
    return convert(tree(), 1);
  }

  /**
   * Refuses comments, which the lexer would drop without a word, so that half of a filter could be
   * missing; and brackets so deep that the parser, which backtracks, would take long.
   */
  private void refuseWhatTheLexerDrops() {
    char quote = 0;
    int depth = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quote != 0) {
        quote = c == quote ? 0 : quote;
      } else if (c == '\'' || c == '"' || c == '`') {
        quote = c;
      } else if (text.startsWith("--", i) || text.startsWith("/*", i)) {
        throw error(i + 1, "comments are not allowed in an expression");
      } else if (text.startsWith("//", i)) {
        throw error(i + 1, "there is no operator //: use / and FLOOR");
      } else if (c == '(' && ++depth > DEPTH_MAX) {
        throw error(i + 1, "brackets more than %d deep".formatted(DEPTH_MAX));
      } else if (c == ')') {
        depth--;
      }
    }
    if (quote != 0) {
      throw error(text.length() + 1, "the text ends within a %s quote".formatted(quote));
    }
  }

  private net.sf.jsqlparser.expression.Expression tree() {
    try {
      return tree(false);
    } catch (ExpressionSyntaxException simple) {
      // What the quick grammar refuses may still be an expression: nested conditions, for one.
      return tree(true);
    }
  }

  private net.sf.jsqlparser.expression.Expression tree(boolean complex) {
    CCJSqlParser parser = CCJSqlParserUtil.newParser(text).withAllowComplexParsing(complex);
    try {
      net.sf.jsqlparser.expression.Expression expression = parser.Expression();
      Token rest = parser.getNextToken();
      if (rest.kind != CCJSqlParserConstants.EOF) {
        throw unexpected(rest);
      }
      return expression;
    } catch (ParseException refused) {
      Token last = refused.currentToken;
      throw unexpected(last == null || last.next == null ? parser.getToken(1) : last.next);
    } catch (TokenMgrException refused) {
      throw error(position(parser.token) + 1, "this can't be read: a character that SQL has not");
    }
  }

  private ExpressionSyntaxException unexpected(Token token) {
    return token.kind == CCJSqlParserConstants.EOF
        ? error(text.stripTrailing().length() + 1, "the expression ends too early")
        : error(position(token), "unexpected '%s'".formatted(token.image));
  }

  private static int position(Token token) {
    return Math.max(1, token.absoluteBegin);
  }

  private static ExpressionSyntaxException error(int column, String message) {
    return new ExpressionSyntaxException(column, "%s (at character %d)".formatted(message, column));
  }

  /**
   * @param from the position of the node around, for nodes that don't know theirs
   */
  private Expression convert(net.sf.jsqlparser.expression.Expression node, int from) {
    int at = positionOf(node, from);
    return switch (node) {
      case Column column -> column(column, at);
      case DateUnitExpression unit -> unitColumn(unit, at);
      case NullValue unused -> new Expression.NullLiteral();
      case BooleanValue value -> new Expression.BooleanLiteral(value.getValue());
      case LongValue value -> new Expression.IntegerLiteral(new BigInteger(value.getStringValue()));
      case DoubleValue value -> number(value, at);
      case StringValue value -> new Expression.TextLiteral(text(value, at));
      case DateTimeLiteralExpression value -> dateTime(value, at);
      case IntervalExpression value -> interval(value, at);
      case SignedExpression signed -> signed(signed, at);
      case ParenthesedExpressionList<?> list when list.size() == 1 -> convert(list.get(0), at);
      case NotExpression not -> new Expression.Not(convert(not.getExpression(), at));
      case IsNullExpression test ->
          new Expression.IsNull(
              convert(test.getLeftExpression(), at), test.isNot() || test.isUseNotNull());
      case InExpression in -> in(in, at);
      case Between between -> between(between, at);
      case LikeExpression like -> like(like, at);
      case CaseExpression chosen -> chosen(chosen, at);
      case CastExpression cast -> cast(cast, at);
      case ExtractExpression extract ->
          new Expression.Extract(
              unit(extract.getName(), at, true), convert(extract.getExpression(), at));
      case TrimFunction trim -> trim(trim, at);
      case Function function -> call(function, at);
      case TimeKeyExpression key ->
          throw error(at, "%s is not known: use now()".formatted(key.getStringValue()));
      case Concat unused -> throw error(at, "there is no operator ||: use CONCAT");
      case BinaryExpression binary -> binary(binary, at);
      case Select unused -> throw error(at, "subqueries are not allowed");
      default -> throw error(at, "'%s' is nothing that every engine can run".formatted(node));
    };
  }

  private static int positionOf(net.sf.jsqlparser.expression.Expression node, int from) {
    if (node.getASTNode() != null) {
      return position(node.getASTNode().jjtGetFirstToken());
    }
    return node instanceof BinaryExpression binary
        ? positionOf(binary.getLeftExpression(), from)
        : from;
  }

  /** Takes the words themselves, for the parser's own names lose quotes and what they hold. */
  private static Expression column(net.sf.jsqlparser.expression.Expression column, int at) {
    List<String> words = new ArrayList<>();
    int end = column.getASTNode().jjtGetLastToken().absoluteBegin;
    Token token = column.getASTNode().jjtGetFirstToken();
    while (token.kind != CCJSqlParserConstants.EOF && token.absoluteBegin <= end) {
      words.add(token.image);
      token = token.next;
    }
    if (words.size() == 1) {
      return new Expression.Column(Optional.empty(), name(words.get(0)));
    }
    if (words.size() == 3 && words.get(1).equals(".")) {
      return new Expression.Column(Optional.of(name(words.get(0))), name(words.get(2)));
    }
    throw error(at, "'%s' is no column: write column or source.column".formatted(column));
  }

  /** A column with the name of a unit, such as {@code day}, which may not know where it stands. */
  private Expression unitColumn(DateUnitExpression unit, int at) {
    String name = unit.toString();
    int start = at - 1;
    while (!text.regionMatches(true, start, name, 0, name.length())) {
      if (++start == text.length()) {
        throw error(at, "'%s' is no column: write it in double quotes".formatted(name));
      }
    }
    return new Expression.Column(Optional.empty(), text.substring(start, start + name.length()));
  }

  private static String name(String identifier) {
    char first = identifier.charAt(0);
    if (first != '"' && first != '`') {
      return identifier;
    }
    String quote = String.valueOf(first);
    return identifier.substring(1, identifier.length() - 1).replace(quote + quote, quote);
  }

  private static Expression number(DoubleValue value, int at) {
    String digits = value.toString();
    if (digits.toUpperCase(Locale.ROOT).contains("E")) {
      double number = Double.parseDouble(digits);
      if (Double.isInfinite(number)) {
        throw error(at, "%s is beyond any FLOAT64".formatted(digits));
      }
      return new Expression.DoubleLiteral(number);
    }
    return new Expression.DecimalLiteral(new BigDecimal(digits));
  }

  private static String text(StringValue value, int at) {
    if (value.getPrefix() != null || !"'".equals(value.getQuoteStr())) {
      throw error(at, "%s: write text as 'text', with '' for a quote in it".formatted(value));
    }
    return value.getValue().replace("''", "'");
  }

  private static Expression dateTime(DateTimeLiteralExpression literal, int at) {
    String quoted = literal.getValue();
    String value = quoted.substring(1, quoted.length() - 1);
    try {
      return switch (literal.getType()) {
        case DATE -> new Expression.DateLiteral(LocalDate.parse(value));
        case TIMESTAMP, TIMESTAMPTZ, DATETIME -> new Expression.TimestampLiteral(instant(value));
        case TIME -> throw error(at, "there are no values of type TIME");
      };
    } catch (DateTimeException refused) {
      throw error(
          at,
          "%s is no %s: write it as 2024-01-31%s"
              .formatted(
                  quoted,
                  literal.getType(),
                  literal.getType() == DateTimeLiteralExpression.DateTime.DATE
                      ? ""
                      : " 13:00:00 or 2024-01-31T13:00:00.123456Z"));
    }
  }

  private static Instant instant(String value) {
    // Checked by hand, for the formatter's two optional separators would allow both or none.
    if (value.length() < 19 || (value.charAt(10) != ' ' && value.charAt(10) != 'T')) {
      throw new DateTimeException("no separator between date and time");
    }
    return (Instant)
        TIMESTAMP.parseBest(
            value, Instant::from, time -> LocalDateTime.from(time).toInstant(ZoneOffset.UTC));
  }

  private Expression interval(IntervalExpression interval, int at) {
    if (!interval.isUsingIntervalKeyword()) {
      throw intervalError(interval, at);
    }
    String words = interval.toString().substring("INTERVAL".length()).replace("'", " ").strip();
    int gap = words.indexOf(' ');
    if (interval.getExpression() != null || gap < 0) {
      throw intervalError(interval, at);
    }
    Unit unit = unit(words.substring(gap).strip(), at, false);
    try {
      return new Expression.IntervalLiteral(Long.parseLong(words.substring(0, gap)), unit);
    } catch (NumberFormatException refused) {
      throw intervalError(interval, at);
    }
  }

  private static ExpressionSyntaxException intervalError(IntervalExpression interval, int at) {
    return error(
        at, "'%s' is no interval: write it as INTERVAL '7' DAY".formatted(interval.toString()));
  }

  /** Reads a unit, quoted or not; {@code part} allows those that only EXTRACT has. */
  private static Unit unit(String written, int at, boolean part) {
    String name = written.replace("'", "").toUpperCase(Locale.ROOT);
    if (name.endsWith("S")) {
      name = name.substring(0, name.length() - 1);
    }
    Unit found =
        switch (name) {
          case "DOW", "DAYOFWEEK" -> Unit.DAY_OF_WEEK;
          case "DOY", "DAYOFYEAR" -> Unit.DAY_OF_YEAR;
          default -> null;
        };
    List<String> names = new ArrayList<>();
    for (Unit unit : Unit.values()) {
      boolean partOnly = unit == Unit.DAY_OF_WEEK || unit == Unit.DAY_OF_YEAR || unit == Unit.EPOCH;
      if (part || !partOnly) {
        names.add(unit.name());
        found = unit.name().equals(name) ? unit : found;
      }
    }
    if (found == null || !names.contains(found.name())) {
      throw error(at, "'%s' is no unit here%s".formatted(written, Nearest.hint(name, names)));
    }
    return found;
  }

  private Expression signed(SignedExpression signed, int at) {
    Expression operand = convert(signed.getExpression(), at);
    return switch (signed.getSign()) {
      case '+' -> operand;
      case '-' ->
          switch (operand) {
            case Expression.IntegerLiteral(var value) ->
                new Expression.IntegerLiteral(value.negate());
            case Expression.DecimalLiteral(var value) ->
                new Expression.DecimalLiteral(value.negate());
            case Expression.DoubleLiteral(var value) -> new Expression.DoubleLiteral(-value);
            default -> new Expression.Negate(operand);
          };
      default -> throw error(at, "there is no operator %s".formatted(signed.getSign()));
    };
  }

  private Expression in(InExpression in, int at) {
    if (!(in.getRightExpression() instanceof ParenthesedExpressionList<?> list)) {
      throw in.getRightExpression() instanceof Select
          ? error(positionOf(in.getRightExpression(), at), "subqueries are not allowed")
          : error(at, "IN needs a list of values in brackets");
    }
    if (list.isEmpty()) {
      throw error(at, "IN needs at least one value");
    }
    return new Expression.In(convert(in.getLeftExpression(), at), convertAll(list, at), in.isNot());
  }

  private Expression between(Between between, int at) {
    if (between.isUsingSymmetric() || between.isUsingAsymmetric()) {
      throw error(at, "BETWEEN SYMMETRIC is nothing that every engine can run");
    }
    return new Expression.Between(
        convert(between.getLeftExpression(), at),
        convert(between.getBetweenExpressionStart(), at),
        convert(between.getBetweenExpressionEnd(), at),
        between.isNot());
  }

  private Expression like(LikeExpression like, int at) {
    if (like.getLikeKeyWord() != LikeExpression.KeyWord.LIKE || like.isUseBinary()) {
      throw error(
          at,
          "%s is nothing that every engine can run: use LIKE or REGEXP_MATCHES"
              .formatted(like.getLikeKeyWord()));
    }
    if (like.getEscape() != null) {
      throw error(at, "LIKE has no ESCAPE here: use REGEXP_MATCHES");
    }
    return new Expression.Like(
        convert(like.getLeftExpression(), at),
        convert(like.getRightExpression(), at),
        like.isNot());
  }

  private Expression chosen(CaseExpression chosen, int at) {
    List<Case.Branch> branches = new ArrayList<>();
    for (WhenClause when : chosen.getWhenClauses()) {
      Expression condition = convert(when.getWhenExpression(), at);
      if (chosen.getSwitchExpression() != null) {
        Expression subject = convert(chosen.getSwitchExpression(), at);
        condition = new Comparison(ComparisonOperator.EQUAL, subject, condition);
      }
      branches.add(new Case.Branch(condition, convert(when.getThenExpression(), at)));
    }
    return new Case(
        branches,
        Optional.ofNullable(chosen.getElseExpression()).map(otherwise -> convert(otherwise, at)));
  }

  private Expression cast(CastExpression cast, int at) {
    if (cast.getClass() != CastExpression.class
        || (cast.keyword != null && cast.keyword.toUpperCase(Locale.ROOT).endsWith("_CAST"))
        || cast.getColDataType() == null
        || cast.getFormat() != null) {
      throw error(at, "'%s': use CAST(value AS type) or value::type".formatted(cast));
    }
    String written = cast.getColDataType().toString();
    FeatureType type = TypeNames.read(written).orElseThrow(() -> unknownType(written, at));
    return new Expression.Cast(convert(cast.getLeftExpression(), at), type);
  }

  private static ExpressionSyntaxException unknownType(String written, int at) {
    return error(at, "'%s' is no type%s".formatted(written, TypeNames.hint(written)));
  }

  private Expression trim(TrimFunction trim, int at) {
    if (trim.getTrimSpecification() != null || trim.getFromExpression() != null) {
      throw error(at, "TRIM takes a text alone, and drops the spaces around it");
    }
    return new Call(Expression.Function.TRIM, List.of(convert(trim.getExpression(), at)));
  }

  private Expression call(Function call, int at) {
    String name = call.getName().toUpperCase(Locale.ROOT);
    List<? extends net.sf.jsqlparser.expression.Expression> arguments =
        call.getParameters() == null ? List.of() : call.getParameters();
    if (!FUNCTIONS.contains(name)) {
      throw error(
          at, "unknown function '%s'%s".formatted(call.getName(), Nearest.hint(name, FUNCTIONS)));
    }
    refuseDecorations(call, at);
    return switch (name) {
      case "NOW" -> {
        requireArguments(name, arguments, 0, 0, at);
        yield new Expression.AsOf();
      }
      case "DATE_TRUNC" -> {
        requireArguments(name, arguments, 2, 2, at);
        yield new Expression.DateTrunc(unit(arguments.get(0), at), convert(arguments.get(1), at));
      }
      case "DATE_DIFF" -> {
        requireArguments(name, arguments, 3, 3, at);
        yield new Expression.DateDiff(
            unit(arguments.get(0), at),
            convert(arguments.get(1), at),
            convert(arguments.get(2), at));
      }
      case "EXTRACT" -> throw error(at, "write EXTRACT(unit FROM value)");
      case "CAST" -> throw error(at, "write CAST(value AS type)");
      default -> {
        var function = Expression.Function.valueOf(name);
        requireArguments(name, arguments, function.argumentsMin(), function.argumentsMax(), at);
        yield new Call(function, convertAll(arguments, at));
      }
    };
  }

  /** Refuses DISTINCT, ORDER BY, IGNORE NULLS, KEEP and the like: all that we would drop. */
  private static void refuseDecorations(Function call, int at) {
    ExpressionList<?> parameters = call.getParameters();
    Function plain = new Function().withName(call.getName());
    if (parameters != null) {
      plain.setParameters(parameters);
    }
    if (!plain.toString().equals(call.toString())) {
      throw error(at, "'%s': write %s with plain arguments".formatted(call, call.getName()));
    }
  }

  private static void requireArguments(String name, List<?> arguments, int min, int max, int at) {
    if (arguments.size() >= min && arguments.size() <= max) {
      return;
    }
    String expected =
        min == max
            ? String.valueOf(min)
            : max == Integer.MAX_VALUE ? min + " or more" : min + " to " + max;
    throw error(
        at,
        "%s takes %s argument%s: found %d"
            .formatted(name, expected, expected.equals("1") ? "" : "s", arguments.size()));
  }

  private static Unit unit(net.sf.jsqlparser.expression.Expression argument, int at) {
    int place = positionOf(argument, at);
    return switch (argument) {
      case StringValue value -> unit(text(value, place), place, false);
      case DateUnitExpression value -> unit(value.toString(), place, false);
      default -> throw error(place, "the unit comes first, as text: 'day'");
    };
  }

  private Expression binary(BinaryExpression binary, int at) {
    Expression left = convert(binary.getLeftExpression(), at);
    Expression right = convert(binary.getRightExpression(), at);
    ArithmeticOperator arithmetic =
        switch (binary) {
          case Addition unused -> ArithmeticOperator.ADD;
          case Subtraction unused -> ArithmeticOperator.SUBTRACT;
          case Multiplication unused -> ArithmeticOperator.MULTIPLY;
          case Division unused -> ArithmeticOperator.DIVIDE;
          case Modulo unused -> ArithmeticOperator.MODULO;
          default -> null;
        };
    if (arithmetic != null) {
      return new Arithmetic(arithmetic, left, right);
    }
    return switch (binary) {
      case AndExpression unused -> new Logical(LogicalOperator.AND, left, right);
      case OrExpression unused -> new Logical(LogicalOperator.OR, left, right);
      default -> new Comparison(comparison(binary, at), left, right);
    };
  }

  private static ComparisonOperator comparison(BinaryExpression binary, int at) {
    return switch (binary) {
      case EqualsTo unused -> ComparisonOperator.EQUAL;
      case NotEqualsTo unused -> ComparisonOperator.NOT_EQUAL;
      case MinorThan unused -> ComparisonOperator.LESS;
      case MinorThanEquals unused -> ComparisonOperator.LESS_OR_EQUAL;
      case GreaterThan unused -> ComparisonOperator.GREATER;
      case GreaterThanEquals unused -> ComparisonOperator.GREATER_OR_EQUAL;
      default ->
          throw error(
              at,
              "'%s' is no operator that every engine has"
                  .formatted(binary.getStringExpression().strip()));
    };
  }

  private List<Expression> convertAll(
      List<? extends net.sf.jsqlparser.expression.Expression> nodes, int at) {
    List<Expression> converted = new ArrayList<>();
    for (net.sf.jsqlparser.expression.Expression node : nodes) {
      converted.add(convert(node, at));
    }
    return converted;
  }
}
