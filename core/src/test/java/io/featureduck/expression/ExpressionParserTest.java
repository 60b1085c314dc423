package io.featureduck.expression;

import static io.featureduck.expression.ExpressionParser.parse;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.expression.Expression.Arithmetic;
import io.featureduck.expression.Expression.ArithmeticOperator;
import io.featureduck.expression.Expression.Between;
import io.featureduck.expression.Expression.Call;
import io.featureduck.expression.Expression.Case;
import io.featureduck.expression.Expression.Cast;
import io.featureduck.expression.Expression.Column;
import io.featureduck.expression.Expression.Comparison;
import io.featureduck.expression.Expression.ComparisonOperator;
import io.featureduck.expression.Expression.DateDiff;
import io.featureduck.expression.Expression.DateLiteral;
import io.featureduck.expression.Expression.DateTrunc;
import io.featureduck.expression.Expression.DecimalLiteral;
import io.featureduck.expression.Expression.DoubleLiteral;
import io.featureduck.expression.Expression.Extract;
import io.featureduck.expression.Expression.Function;
import io.featureduck.expression.Expression.In;
import io.featureduck.expression.Expression.IntegerLiteral;
import io.featureduck.expression.Expression.IntervalLiteral;
import io.featureduck.expression.Expression.IsNull;
import io.featureduck.expression.Expression.Like;
import io.featureduck.expression.Expression.Logical;
import io.featureduck.expression.Expression.LogicalOperator;
import io.featureduck.expression.Expression.Negate;
import io.featureduck.expression.Expression.Not;
import io.featureduck.expression.Expression.TextLiteral;
import io.featureduck.expression.Expression.TimestampLiteral;
import io.featureduck.expression.Expression.Unit;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ExpressionParserTest {
  private static final Column A = column("a");
  private static final Column B = column("b");
  private static final Column C = column("c");

  @Test
  void parse_columns_keepTheirNames() {
    assertThat(parse("a")).isEqualTo(A);
    assertThat(parse("Amount")).isEqualTo(column("Amount"));
    assertThat(parse("merchants.country"))
        .isEqualTo(new Column(Optional.of("merchants"), "country"));
    assertThat(parse("\"Weird Col\"")).isEqualTo(column("Weird Col"));
    assertThat(parse("\"a\"\"b\"")).isEqualTo(column("a\"b"));
    assertThat(parse("\"My Source\".\"x.y\""))
        .isEqualTo(new Column(Optional.of("My Source"), "x.y"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"year", "Day", "date", "timestamp", "order", "user", "key", "type"})
  void parse_columnsNamedLikeWords_areColumns(String name) {
    assertThat(parse(name)).isEqualTo(column(name));
    assertThat(parse(name + " = 1")).isEqualTo(equal(column(name), integer(1)));
    assertThat(parse(name + "::INT32")).isEqualTo(new Cast(column(name), Primitive.INT32));
    assertThat(parse("1 - -" + name))
        .isEqualTo(
            new Arithmetic(ArithmeticOperator.SUBTRACT, integer(1), new Negate(column(name))));
  }

  @Test
  void parse_literals_keepTheirValues() {
    assertThat(parse("NULL")).isEqualTo(new Expression.NullLiteral());
    assertThat(parse("true")).isEqualTo(new Expression.BooleanLiteral(true));
    assertThat(parse("FALSE")).isEqualTo(new Expression.BooleanLiteral(false));
    assertThat(parse("123456789012345678901234567890"))
        .isEqualTo(new IntegerLiteral(new BigInteger("123456789012345678901234567890")));
    assertThat(parse("-5")).isEqualTo(integer(-5));
    assertThat(parse("1.50")).isEqualTo(new DecimalLiteral(new BigDecimal("1.50")));
    assertThat(parse("0.1234567890123456789"))
        .isEqualTo(new DecimalLiteral(new BigDecimal("0.1234567890123456789")));
    assertThat(parse("-.5")).isEqualTo(new DecimalLiteral(new BigDecimal("-0.5")));
    assertThat(parse("1e5")).isEqualTo(new DoubleLiteral(100_000));
    assertThat(parse("'it''s'")).isEqualTo(new TextLiteral("it's"));
    assertThat(parse("'a\\n -- no comment'")).isEqualTo(new TextLiteral("a\\n -- no comment"));
    assertThat(parse("''")).isEqualTo(new TextLiteral(""));
  }

  @Test
  void parse_times_keepTheirValues() {
    assertThat(parse("DATE '2024-01-31'")).isEqualTo(new DateLiteral(LocalDate.of(2024, 1, 31)));
    Instant noon = Instant.parse("2024-01-31T12:00:00Z");
    for (String text :
        List.of(
            "2024-01-31 12:00:00",
            "2024-01-31T12:00:00Z",
            "2024-01-31 14:00:00+02",
            "2024-01-31T14:00:00+02:00")) {
      assertThat(parse("TIMESTAMP '" + text + "'")).isEqualTo(new TimestampLiteral(noon));
    }
    assertThat(parse("TIMESTAMPTZ '2024-01-31 12:00:00.123456Z'"))
        .isEqualTo(new TimestampLiteral(noon.plusNanos(123_456_000)));
    for (String text : List.of("'7' DAY", "7 DAYS", "'7 days'", "7 DAY")) {
      assertThat(parse("INTERVAL " + text)).isEqualTo(new IntervalLiteral(7, Unit.DAY));
    }
    assertThat(parse("now() - INTERVAL '1' HOUR"))
        .isEqualTo(
            new Arithmetic(
                ArithmeticOperator.SUBTRACT,
                new Expression.AsOf(),
                new IntervalLiteral(1, Unit.HOUR)));
  }

  @Test
  void parse_operators_bindAsInSql() {
    assertThat(parse("a - b - 1 * 2"))
        .isEqualTo(
            new Arithmetic(
                ArithmeticOperator.SUBTRACT,
                new Arithmetic(ArithmeticOperator.SUBTRACT, A, B),
                new Arithmetic(ArithmeticOperator.MULTIPLY, integer(1), integer(2))));
    assertThat(parse("(a + b) / -c % 2"))
        .isEqualTo(
            new Arithmetic(
                ArithmeticOperator.MODULO,
                new Arithmetic(
                    ArithmeticOperator.DIVIDE,
                    new Arithmetic(ArithmeticOperator.ADD, A, B),
                    new Negate(C)),
                integer(2)));
    assertThat(parse("NOT a AND b OR c"))
        .isEqualTo(
            new Logical(LogicalOperator.OR, new Logical(LogicalOperator.AND, new Not(A), B), C));
    assertThat(parse("NOT (a OR (b AND c = 1))"))
        .isEqualTo(
            new Not(
                new Logical(
                    LogicalOperator.OR,
                    A,
                    new Logical(LogicalOperator.AND, B, equal(C, integer(1))))));
  }

  @ParameterizedTest
  @CsvSource({
    "=, EQUAL",
    "<>, NOT_EQUAL",
    "!=, NOT_EQUAL",
    "<, LESS",
    "<=, LESS_OR_EQUAL",
    ">, GREATER",
    ">=, GREATER_OR_EQUAL"
  })
  void parse_comparisons_areKnown(String symbol, ComparisonOperator operator) {
    assertThat(parse("a " + symbol + " b")).isEqualTo(new Comparison(operator, A, B));
  }

  @Test
  void parse_tests_areKnown() {
    assertThat(parse("a IS NULL")).isEqualTo(new IsNull(A, false));
    assertThat(parse("a IS NOT NULL")).isEqualTo(new IsNull(A, true));
    assertThat(parse("a IN (1, 2)")).isEqualTo(new In(A, List.of(integer(1), integer(2)), false));
    assertThat(parse("a NOT IN ('x')")).isEqualTo(new In(A, List.of(new TextLiteral("x")), true));
    assertThat(parse("a BETWEEN 1 AND b")).isEqualTo(new Between(A, integer(1), B, false));
    assertThat(parse("a NOT BETWEEN 1 AND b")).isEqualTo(new Between(A, integer(1), B, true));
    assertThat(parse("a LIKE 'x%'")).isEqualTo(new Like(A, new TextLiteral("x%"), false));
    assertThat(parse("a NOT LIKE 'x%'")).isEqualTo(new Like(A, new TextLiteral("x%"), true));
    assertThat(parse("CASE WHEN a THEN 1 ELSE 2 END"))
        .isEqualTo(new Case(List.of(new Case.Branch(A, integer(1))), Optional.of(integer(2))));
    assertThat(parse("CASE a WHEN 1 THEN b END"))
        .isEqualTo(new Case(List.of(new Case.Branch(equal(A, integer(1)), B)), Optional.empty()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "INT64; INT64",
        "BIGINT; INT64",
        "int; INT32",
        "DOUBLE PRECISION; FLOAT64",
        "DOUBLE; FLOAT64",
        "REAL; FLOAT32",
        "VARCHAR; STRING",
        "TEXT; STRING",
        "BOOLEAN; BOOL",
        "NUMERIC(12, 2); DECIMAL(12,2)",
        "DECIMAL(12,2); DECIMAL(12,2)",
        "TIMESTAMP WITH TIME ZONE; TIMESTAMP",
        "timestamptz; TIMESTAMP",
        "DATE; DATE",
        "JSON; JSON",
        "BLOB; BYTES",
        "ARRAY<FLOAT32>; ARRAY<FLOAT32>",
        "ARRAY<DECIMAL(3,2)>; ARRAY<DECIMAL(3,2)>",
        "FLOAT64[]; ARRAY<FLOAT64>"
      })
  void parse_casts_takeOurNamesAndSqlOnes(String written, String type) {
    FeatureType expected = FeatureType.parse(type).orElseThrow();

    assertThat(parse("a::" + written)).isEqualTo(new Cast(A, expected));
    assertThat(parse("CAST(a AS " + written + ")")).isEqualTo(new Cast(A, expected));
  }

  @Test
  void parse_functions_areKnown() {
    for (Function function : Function.values()) {
      List<Expression> arguments =
          List.of(A, B, C).subList(0, function.argumentsMin()).stream()
              .<Expression>map(column -> column)
              .toList();
      String text = "abc".substring(0, arguments.size()).replaceAll("(?<=.)(?=.)", ", ");
      assertThat(parse(function.name().toLowerCase(java.util.Locale.ROOT) + "(" + text + ")"))
          .isEqualTo(new Call(function, arguments));
    }
    assertThat(parse("DATE_TRUNC('month', a)")).isEqualTo(new DateTrunc(Unit.MONTH, A));
    assertThat(parse("date_diff('days', a, b)")).isEqualTo(new DateDiff(Unit.DAY, A, B));
    assertThat(parse("EXTRACT(dow FROM a)")).isEqualTo(new Extract(Unit.DAY_OF_WEEK, A));
    assertThat(parse("extract(EPOCH FROM a)")).isEqualTo(new Extract(Unit.EPOCH, A));
    assertThat(parse("a::INT + -b::INT"))
        .isEqualTo(
            new Arithmetic(
                ArithmeticOperator.ADD,
                new Cast(A, Primitive.INT32),
                new Negate(new Cast(B, Primitive.INT32))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '@',
      value = {
        "amount +; 9; ends too early",
        "amount + 1 -- hi; 12; comments",
        "amount /* x */ + 1; 8; comments",
        "a // 2; 3; no operator //",
        "a b; 3; unexpected 'b'",
        "a == b; 4; unexpected '='",
        "a < b < c; 7; unexpected '<'",
        "1 + cuont(a); 5; unknown function 'cuont'",
        "loower(a); 1; did you mean 'LOWER'?",
        "a = 1 AND lower(a, b) = 'x'; 11; LOWER takes 1 argument: found 2",
        "substr(a); 1; SUBSTR takes 2 to 3 arguments: found 1",
        "coalesce(); 1; COALESCE takes 1 or more arguments: found 0",
        "now(1); 1; NOW takes 0 arguments",
        "a IN (SELECT 1); 6; subqueries",
        "1 + (SELECT 1); 5; subqueries",
        "a || b; 1; use CONCAT",
        "a ILIKE 'x'; 1; ILIKE",
        "a LIKE 'x' ESCAPE '!'; 1; ESCAPE",
        "a = CURRENT_TIMESTAMP; 5; use now()",
        "a::NUMBR; 1; 'NUMBR' is no type",
        "a::BIGIN; 1; did you mean 'BIGINT'?",
        "a::FLOAT; 1; FLOAT32 or FLOAT64",
        "a::DECIMAL; 1; such as DECIMAL(12,2)",
        "TRY_CAST(a AS INT); 1; CAST(value AS type)",
        "DATE '2024-02-30'; 1; is no DATE",
        "TIMESTAMP '2024-02-30'; 1; is no TIMESTAMP",
        "DATE_TRUNC('moth', a); 12; did you mean 'MONTH'?",
        "DATE_TRUNC('dow', a); 12; 'dow' is no unit here",
        "DATE_TRUNC(a, a); 12; the unit comes first",
        "sum(a) OVER (); 1; every engine",
        "abs(DISTINCT a); 1; plain arguments",
        "a.b.c; 1; is no column",
        "a[1]; 1; is no column",
        "?; 1; every engine",
        "(1, 2); 1; every engine",
        "a IS TRUE; 1; every engine",
        "a ~ 'x'; 1; no operator that every engine has",
        "a & 1; 1; no operator that every engine has",
        "'abc; 5; ends within a ' quote"
      })
  void parse_whatNotEveryEngineRuns_isRefusedWithItsPosition(
      String text, int column, String message) {
    assertThatThrownBy(() -> parse(text))
        .isInstanceOfSatisfying(
            ExpressionSyntaxException.class,
            refused -> {
              assertThat(refused.column()).isEqualTo(column);
              assertThat(refused).hasMessageContaining(message);
            });
  }

  @Test
  void parse_secondLine_countsCharactersOfTheWholeText() {
    assertThatThrownBy(() -> parse("a = 1\n\tAND foo(b) = 2"))
        .isInstanceOfSatisfying(
            ExpressionSyntaxException.class, refused -> assertThat(refused.column()).isEqualTo(12));
  }

  @Test
  void parse_secondStatement_isRefused() {
    assertThatThrownBy(() -> parse("a = 1; drop table x")).hasMessageContaining("unexpected ';'");
    assertThatThrownBy(() -> parse("users\"; drop table x; --")).hasMessageContaining("quote");
  }

  @Test
  void parse_blank_isRefused() {
    assertThatThrownBy(() -> parse("  ")).hasMessageContaining("empty");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void parse_wordsInAnyOrder_areReadOrRefusedWithAPosition(long seed) {
    List<String> words =
        List.of(
            "a",
            "day",
            "s.b",
            "\"x y\"",
            "1",
            "-2.5",
            "1e3",
            "'t'",
            "NULL",
            "TRUE",
            "+",
            "-",
            "*",
            "/",
            "%",
            "=",
            "<",
            "<>",
            "AND",
            "OR",
            "NOT",
            "IS",
            "NULL",
            "IN",
            "(",
            ")",
            "(",
            ")",
            ",",
            "BETWEEN",
            "LIKE",
            "CASE",
            "WHEN",
            "THEN",
            "ELSE",
            "END",
            "CAST",
            "AS",
            "INT64",
            "::",
            "ABS",
            "ROUND",
            "COALESCE",
            "TRIM",
            "now",
            "EXTRACT",
            "FROM",
            "INTERVAL",
            "'7'",
            "DATE",
            "'2024-01-01'",
            "DATE_TRUNC",
            "SELECT",
            "DISTINCT",
            "OVER",
            "[",
            "]",
            ".",
            ":",
            "?",
            "||",
            "@",
            "#",
            "$",
            ";",
            "\\",
            "{",
            "year",
            "ORDER",
            "BY",
            "AT",
            "TIME",
            "ZONE",
            "ANY",
            "é");
    Random random = new Random(seed);
    for (int i = 0; i < 1_000; i++) {
      StringBuilder text = new StringBuilder();
      for (int j = random.nextInt(8); j >= 0; j--) {
        text.append(words.get(random.nextInt(words.size())))
            .append(random.nextInt(4) == 0 ? "" : " ");
      }
      try {
        assertThat(parse(text.toString())).isNotNull();
      } catch (ExpressionSyntaxException refused) {
        assertThat(refused.column()).as(text.toString()).isBetween(1, text.length() + 1);
      } catch (RuntimeException | Error bug) {
        throw new AssertionError("seed %d: %s".formatted(seed, text), bug);
      }
    }
  }

  @Test
  void parse_deepAndLong_isBounded() {
    String deep = "(".repeat(30) + "a = 1 OR b" + ")".repeat(30);
    Instant start = Instant.now();

    assertThat(parse(deep)).isInstanceOf(Logical.class);
    assertThat(parse("1" + " + 1".repeat(900))).isInstanceOf(Arithmetic.class);
    assertThatThrownBy(() -> parse("(" + deep + ")")).hasMessageContaining("deep");
    assertThatThrownBy(() -> parse("1" + " + 1".repeat(1_100))).hasMessageContaining("4401");
    assertThat(Duration.between(start, Instant.now())).isLessThan(Duration.ofSeconds(20));
  }

  private static Column column(String name) {
    return new Column(Optional.empty(), name);
  }

  private static IntegerLiteral integer(long value) {
    return new IntegerLiteral(BigInteger.valueOf(value));
  }

  private static Comparison equal(Expression left, Expression right) {
    return new Comparison(ComparisonOperator.EQUAL, left, right);
  }
}
