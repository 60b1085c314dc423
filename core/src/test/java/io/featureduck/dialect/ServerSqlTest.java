package io.featureduck.dialect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.definition.Source.Database;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.plan.Views;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What differs between servers, side by side. */
final class ServerSqlTest {
  private static final ServerSql POSTGRES = ServerSql.of(Database.POSTGRES);
  private static final ServerSql MYSQL = ServerSql.of(Database.MYSQL);
  private static final Instant LIMIT = Instant.parse("2026-01-01T10:00:00.000001Z");

  private static Source source(Database database, String zone, Map<String, FeatureType> columns) {
    return Views.source(
        "orders",
        new Source.Table(database, new Secret(""), "my \"`shop`", "or'ders"),
        "at",
        "written",
        zone,
        Optional.empty(),
        columns);
  }

  private static Column column(String name, String engineType, boolean zoned) {
    return new Column(name, DuckDbTypes.read(engineType), engineType, zoned);
  }

  private static SourceSchema schema(Column... columns) {
    return new SourceSchema(List.of(columns));
  }

  @Test
  void table_namesWithQuotesInThem_areQuoted() {
    Source.Table table = (Source.Table) source(Database.POSTGRES, "UTC", Map.of()).location();

    assertThat(POSTGRES.table(table)).isEqualTo("\"my \"\"`shop`\".\"or'ders\"");
    assertThat(MYSQL.table(table)).isEqualTo("`my \"``shop```.`or'ders`");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "it's|'it''s'|'it''s'",
        "\"x\" 🦆|'\"x\" 🦆'|'\"x\" 🦆'",
        "a\\'b|E'a\\\\''b'|_utf8mb4 X'615c2762'",
        "\\ü|E'\\\\ü'|_utf8mb4 X'5cc3bc'",
        "``|''|''"
      })
  void text_anyCharacters_meansItselfWhateverTheServersSettings(
      String value, String postgres, String mySql) {
    assertThat(POSTGRES.text(value)).isEqualTo(postgres);
    assertThat(MYSQL.text(value)).isEqualTo(mySql);
  }

  @ParameterizedTest
  @EnumSource(Database.class)
  void literal_joinKeys_areOfTheirTypes(Database database) {
    ServerSql server = ServerSql.of(database);

    assertThat(server.literal(Primitive.INT64, "-9223372036854775808"))
        .isEqualTo("-9223372036854775808");
    assertThat(server.literal(Primitive.STRING, "1'")).isEqualTo("'1'''");
    assertThat(server.literal(Primitive.DATE, "2026-01-31")).isEqualTo("DATE '2026-01-31'");
    assertThat(server.literal(Primitive.BOOL, "false")).isEqualTo("FALSE");
    assertThatThrownBy(() -> server.literal(Primitive.INT32, "1 OR 1=1"))
        .isInstanceOf(NumberFormatException.class);
    assertThatThrownBy(() -> server.literal(Primitive.FLOAT64, "1"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void after_eachKindOfColumn_isComparedAsItIsHeld() {
    Source postgres = source(Database.POSTGRES, "Europe/Berlin", Map.of());
    Source mySql = source(Database.MYSQL, "Europe/Berlin", Map.of());
    Column zoned = column("at", "TIMESTAMP WITH TIME ZONE", true);
    Column stamp = column("at", "TIMESTAMP", true);
    Column local = column("at", "TIMESTAMP", false);
    Column day = column("at", "DATE", false);
    Column text = column("at", "VARCHAR", false);

    assertThat(POSTGRES.after(postgres, zoned, LIMIT))
        .isEqualTo("\"at\" > TIMESTAMPTZ '2026-01-01 10:00:00.000001+00'");
    assertThat(MYSQL.after(mySql, stamp, LIMIT))
        .isEqualTo("`at` > TIMESTAMP '2026-01-01 10:00:00.000001'");
    assertThat(POSTGRES.after(postgres, local, LIMIT))
        .isEqualTo("\"at\" > TIMESTAMP '2026-01-01 11:00:00.000001'");
    assertThat(MYSQL.after(mySql, local, LIMIT))
        .isEqualTo("`at` > TIMESTAMP '2026-01-01 11:00:00.000001'");
    assertThat(POSTGRES.after(postgres, day, LIMIT)).startsWith("\"at\" > TIMESTAMP ");
    assertThat(MYSQL.after(mySql, day, LIMIT)).startsWith("`at` > TIMESTAMP ");
    assertThat(POSTGRES.after(postgres, text, LIMIT)).startsWith("\"at\"::timestamp > ");
    assertThat(MYSQL.after(mySql, text, LIMIT)).startsWith("CAST(`at` AS DATETIME(6)) > ");
  }

  /** At 01:00 UTC on 2026-10-25, Berlin's clocks went from 03:00 back to 02:00. */
  @ParameterizedTest
  @CsvSource({
    "2026-10-24T23:59:59Z, 2026-10-25 01:59:59",
    // Until the change nothing is later than this: 02:00 is read as an hour from now.
    "2026-10-25T00:00:00Z, 2026-10-25 01:59:59.999999",
    "2026-10-25T00:59:59Z, 2026-10-25 01:59:59.999999",
    "2026-10-25T01:00:00Z, 2026-10-25 02:00:00",
    "2026-10-25T01:30:00Z, 2026-10-25 02:30:00",
    "2026-10-25T02:00:00Z, 2026-10-25 03:00:00"
  })
  void after_clocksSetBack_isAsDuckDbReadsTheLocalTime(String limit, String local) {
    assertThat(
            MYSQL.after(
                source(Database.MYSQL, "Europe/Berlin", Map.of()),
                column("at", "TIMESTAMP", false),
                Instant.parse(limit)))
        .isEqualTo("`at` > TIMESTAMP '" + local + "'");
  }

  @Test
  void rejected_eachServer_countsTheSame() {
    SourceSchema schema =
        schema(
            column("ID", "BIGINT", false),
            column("at", "TIMESTAMP", true),
            column("written", "TIMESTAMP", true));
    List<JoinKey> keys = List.of(new JoinKey("id", Primitive.INT64));

    String mySql = MYSQL.rejected(source(Database.MYSQL, "UTC", Map.of()), schema, keys, LIMIT);

    assertThat(mySql)
        .isEqualTo(
            """
            SELECT count(*) AS n, count(CASE WHEN (`ID` IS NULL) THEN 1 END) AS k,
              count(CASE WHEN NOT (`ID` IS NULL) AND `at` IS NULL THEN 1 END) AS e,
              count(CASE WHEN NOT (`ID` IS NULL) AND (`at` > TIMESTAMP '2026-01-01 10:00:00.000001' OR NOT `at` IS NULL AND `written` > TIMESTAMP '2026-01-01 10:00:00.000001') THEN 1 END) AS a
            FROM `my "``shop```.`or'ders`
            """);
    assertThat(POSTGRES.rejected(source(Database.POSTGRES, "UTC", Map.of()), schema, keys, LIMIT))
        .isEqualTo(
            mySql
                .replace("`my \"``shop```", "\"my \"\"~shop~\"")
                .replace('`', '"')
                .replace('~', '`')
                .replaceAll("TIMESTAMP ('[^']*)'", "TIMESTAMPTZ $1+00'"));
  }

  @Test
  void rows_ofPostgres_areAsItsQueryGivesThem() {
    Source source = source(Database.POSTGRES, "UTC", Map.of("amount", new Decimal(12, 2)));
    SourceSchema schema = schema(column("id", "BIGINT", false), column("amount", "DOUBLE", false));

    assertThat(POSTGRES.rows("pg", source, schema))
        .isEqualTo(
            "postgres_query('pg', 'SELECT \"id\", CAST(\"amount\" AS numeric(12,2)) AS \"amount\" FROM \"my \"\"`shop`\".\"or''ders\"')");
  }

  @Test
  void rows_ofMySql_haveTheTypesOfAScan() {
    Source source =
        source(
            Database.MYSQL,
            "UTC",
            Map.of(
                "huge",
                new Decimal(30, 4),
                "rough",
                Primitive.FLOAT64,
                "exact",
                new Decimal(9, 1)));
    SourceSchema schema =
        schema(
            column("id", "UBIGINT", false),
            column("name", "VARCHAR", false),
            column("time", "TIME", false),
            column("exact", "DECIMAL(12,2)", false),
            new Column("huge", Optional.of(new Decimal(30, 4)), "decimal(65,30)", false),
            new Column("rough", Optional.of(Primitive.FLOAT64), "decimal(40,0)", false));

    assertThat(MYSQL.rows("my", source, schema))
        .isEqualTo(
            "(SELECT \"id\", \"name\", \"time\", CAST(\"exact\" AS DECIMAL(12,2)) AS \"exact\", CAST(\"huge\" AS DECIMAL(30,4)) AS \"huge\", CAST(\"rough\" AS DOUBLE) AS \"rough\""
                + " FROM mysql_query('my', 'SELECT `id`, CONVERT(`name` USING utf8mb4) COLLATE utf8mb4_general_ci AS `name`, `time`, CAST(`exact` AS CHAR) AS `exact`, CAST(`huge` AS CHAR) AS `huge`, CAST(`rough` AS CHAR) AS `rough` FROM `my \"``shop```.`or''ders`', stream_results = false))");
  }

  @Test
  void unreadable_valuesThatWouldComeAsOthers_areNamed() {
    Column amount = column("amount", "DECIMAL(12,2)", false);
    Column amounts = column("amounts", "DECIMAL(12,2)[]", false);
    Column day = column("day", "DATE", false);
    Column stamp = column("stamp", "TIMESTAMP", true);
    Column name = column("name", "VARCHAR", false);

    assertThat(POSTGRES.unreadable(amount)).contains("\"amount\" = 'NaN'");
    assertThat(POSTGRES.unreadable(amounts)).contains("'NaN' = ANY(\"amounts\")");
    assertThat(POSTGRES.unreadable(day)).isEmpty();
    assertThat(MYSQL.unreadable(amount)).isEmpty();
    assertThat(MYSQL.unreadable(name)).isEmpty();
    assertThat(MYSQL.unreadable(day)).isPresent();
    assertThat(MYSQL.unreadable(stamp)).isPresent();
  }
}
