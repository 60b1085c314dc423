package io.featureduck.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.engine.Extensions;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.SourceSchema;
import io.featureduck.store.Cancellation;
import io.featureduck.testing.CuttingProxy;
import io.featureduck.testing.SourceServer;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What MariaDB says of its tables, and what becomes of it where it can't be said. */
final class MySqlTablesTest {
  private static final DuckDbDialect DIALECT = new DuckDbDialect();

  @TempDir private Path directory = Path.of("");

  private static Source source(String connection, String schema, String table, String zone) {
    return new Source(
        "orders",
        new Source.Table(Source.Database.MYSQL, new Secret(connection), schema, table),
        "at",
        "at",
        false,
        Duration.ofMinutes(10),
        ZoneId.of(zone),
        Optional.empty(),
        Map.of(),
        false);
  }

  private static Source source(TestMariaDb.Database database, String table) {
    return source(database.connectionString(), database.name(), table, "UTC");
  }

  private <T> T read(BiFunction<SourceReader, DuckDbSession, T> question) {
    MaterializerSettings settings = TestDefinitions.materializer(directory);
    DuckDb duckDb = new DuckDb(settings, new Extensions(settings.extensionDirectory()));
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      return question.apply(new SourceReader(session, InstantSource.fixed(Instant.EPOCH)), session);
    }
  }

  private SourceSchema schema(Source source) {
    return read((reader, session) -> reader.schema(source));
  }

  private static List<String> lines(SourceSchema schema) {
    return schema.columns().stream()
        .map(c ->
            c.name()
                + " "
                + c.type().map(FeatureType::toString).orElse("- " + c.engineType())
                + (c.zoned() ? " zoned" : ""))
        .toList();
  }

  @Test
  void schema_eachType_isAsTheServerSaysIt() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute(
        """
        CREATE TABLE `or"der's` (a TINYINT, b TINYINT UNSIGNED, c TINYINT(1), d SMALLINT UNSIGNED,
          e MEDIUMINT, f INT UNSIGNED, g BIGINT, h BIGINT UNSIGNED, i FLOAT, j DOUBLE,
          k DECIMAL(12,2), l DECIMAL(38,38), m DECIMAL(39,0), n BIT(1), o BIT(9), p DATE, q DATETIME(6),
          r TIMESTAMP NULL, s TIME, t YEAR, u CHAR(3), v TEXT, w BLOB, x BINARY(2), y JSON,
          z LONGTEXT, aa ENUM('x'), bb SET('x'), cc UUID, dd INET6, ee POINT, ff GEOMETRY,
          `Zwei Wörter` INT, `back``tick` INT, `back\\slash` INT, gg INT AS (a + 1), hh INT INVISIBLE);
        CREATE VIEW seen AS SELECT k, r, c FROM `or"der's`
        """);

    assertThat(lines(schema(source(database, "or\"der's"))))
        .containsExactly(
            "a INT32",
            "b INT32",
            "c BOOL",
            "d INT32",
            "e INT32",
            "f INT64",
            "g INT64",
            "h DECIMAL(20,0)",
            "i FLOAT32",
            "j FLOAT64",
            "k DECIMAL(12,2)",
            "l DECIMAL(38,38)",
            "m - decimal(39,0)",
            "n BOOL",
            "o BYTES",
            "p DATE",
            "q TIMESTAMP",
            "r TIMESTAMP zoned",
            "s STRING",
            "t INT32",
            "u STRING",
            "v STRING",
            "w BYTES",
            "x BYTES",
            "y JSON",
            "z STRING",
            "aa STRING",
            "bb STRING",
            "cc STRING",
            "dd STRING",
            "ee - point",
            "ff - geometry",
            "Zwei Wörter INT32",
            "back`tick - one whose name DuckDB's extension can't ask for (it has ` or \\)",
            "back\\slash - one whose name DuckDB's extension can't ask for (it has ` or \\)",
            "gg INT32",
            "hh INT32");
    assertThat(lines(schema(source(database, "seen"))))
        .containsExactly("k DECIMAL(12,2)", "r TIMESTAMP zoned", "c BOOL");
  }

  @Test
  void schema_userWhoMayOnlySelect_seesTheSameTypes() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (id INT, doc JSON, note LONGTEXT);
        CREATE USER reader@'%%' IDENTIFIED BY 'geheim'; GRANT SELECT ON %1$s.orders TO reader@'%%';
        CREATE USER part@'%%' IDENTIFIED BY 'geheim'; GRANT SELECT (id, doc) ON %1$s.orders TO part@'%%'
        """
            .formatted(database.name()));
    String whole = database.connectionString().replace("user=duck", "user=reader");
    String part = database.connectionString().replace("user=duck", "user=part");

    assertThat(lines(schema(source(whole, database.name(), "orders", "UTC"))))
        .containsExactly("id INT32", "doc JSON", "note STRING");
    // To whom the table's definition isn't shown, JSON is text.
    assertThat(lines(schema(source(part, database.name(), "orders", "UTC"))))
        .containsExactly("id INT32", "doc STRING");
  }

  @Test
  void schema_tableIsNotThere_namesTheNearest() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute("CREATE TABLE orders (id INT)");

    for (String wrong : List.of("order", "Orders")) {
      assertThatThrownBy(() -> schema(source(database, wrong)))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_SCHEMA))
          .hasMessage(
              "source orders: there is no table '%s.%s' (did you mean '%s.orders'?)"
                  .formatted(database.name(), wrong, database.name()));
    }
  }

  @Test
  void schema_tablesThatDifferInCaseOnly_isRefused() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute("CREATE TABLE orders (id INT); CREATE TABLE Orders (name TEXT)");

    assertThatThrownBy(() -> schema(source(database, "orders")))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_SCHEMA))
        .hasMessage(
            "source orders: DuckDB can't tell table '%1$s.orders' from '%1$s.Orders' beside it: read it through a view of another name"
                .formatted(database.name()));
  }

  @Test
  void schema_tableWithABacktick_isRefused() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();

    assertThatThrownBy(() -> schema(source(database, "or`ders")))
        .hasMessageStartingWith("source orders: table 'or`ders': DuckDB's extension can't ask for");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "host=127.0.0.1 port=1 user=duck password=\"ge heim\"",
        "host=127.0.0.1 port=PORT database=NAME user=duck password=\"ge heim\\\"\\\\\"",
        "host=127.0.0.1 port=PORT database=NAME user=nobody passwd=geheim",
        "mysql://duck:ge%20heim@127.0.0.1:PORT/NAME",
        "host=127.0.0.1 port=PORT database=nowhere user=duck password=geheim",
        "host=nowhere.invalid user=duck password=geheim",
        "host=127.0.0.1 port=PORT user=duck password=geheim ssl_mode=geheim"
      })
  void schema_serverOutOfReach_saysWhyWithoutThePassword(String connection) throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    String text = connection.replace("PORT", "" + database.port()).replace("NAME", database.name());

    assertThatThrownBy(() -> schema(source(text, database.name(), "orders", "UTC")))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE);
              for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                assertThat(String.valueOf(cause)).doesNotContain("heim\"", "heim\\", "password=g");
              }
            })
        .hasMessageMatching(
            "(?s)source orders: .*(can't be reached|Access denied|Unknown database|ssl mode).*");
  }

  @Test
  void snapshot_rowsWrittenSince_areNotSeen() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute(
        "CREATE TABLE a (id INT, at DATETIME); INSERT INTO a VALUES (1, now()); CREATE TABLE b AS SELECT * FROM a");
    Source source = source(database, "a");

    String seen =
        read((reader, session) -> {
          SourceSchema ignored = reader.schema(source);
          session.execute("BEGIN TRANSACTION");
          Instant before = Instant.now();
          Instant clock = reader.snapshot(source).clock();
          // Within the clocks' resolution.
          assertThat(Duration.between(before, clock).abs()).isLessThan(Duration.ofSeconds(20));
          execute(database, "INSERT INTO a VALUES (2, now()); INSERT INTO b VALUES (2, now())");
          String counts = "";
          for (String table : List.of("a", "b")) {
            counts +=
                session
                    .list(
                        "SELECT count(*) FROM %s.%s.%s"
                            .formatted(DIALECT.attachedName(source), database.name(), table),
                        row -> row.getString(1))
                    .getFirst();
          }
          SourceReader.Rejected counted =
              reader.rejected(
                  source,
                  new SourceSchema(
                      List.of(
                          new SourceSchema.Column(
                              "id", Optional.of(Primitive.INT32), "INTEGER", false),
                          new SourceSchema.Column(
                              "at", Optional.of(Primitive.TIMESTAMP), "TIMESTAMP", false))),
                  List.of(new JoinKey("id", Primitive.INT32)),
                  clock.plusSeconds(60));
          return counts + " " + counted.rows();
        });

    assertThat(seen).isEqualTo("11 1");
  }

  @Test
  void snapshot_transaction_mayNotWrite() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute("CREATE TABLE a (id INT)");
    Source source = source(database, "a");

    assertThatThrownBy(() ->
            read((reader, session) -> {
              reader.prepare(source);
              session.execute("BEGIN TRANSACTION");
              Instant ignored = reader.snapshot(source).clock();
              session.execute(
                  "INSERT INTO %s.%s.a VALUES (1)"
                      .formatted(DIALECT.attachedName(source), database.name()));
              return "";
            }))
        .hasMessageContaining("READ ONLY transaction");
  }

  @Test
  void snapshot_connectionIsKilledInMidRun_failsAndMayBeTriedAgain() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute("CREATE TABLE a (id INT, at DATETIME)");
    Source source = source(database, "a");

    assertThatThrownBy(() ->
            read((reader, session) -> {
              SourceSchema ignored = reader.schema(source);
              session.execute("BEGIN TRANSACTION");
              Instant unused = reader.snapshot(source).clock();
              long connection =
                  session
                      .list(
                          "FROM mysql_query('%s', 'SELECT connection_id() AS id', stream_results = false)"
                              .formatted(DIALECT.attachedName(source)),
                          row -> row.getLong(1))
                      .getFirst();
              execute(database, "KILL " + connection);
              reader.fetch(
                  source,
                  "CREATE TEMP TABLE t AS FROM %s.%s.a"
                      .formatted(DIALECT.attachedName(source), database.name()));
              return "";
            }))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE);
              assertThat(e.mayPass()).as(e.getMessage()).isTrue();
            });
  }

  @Test
  void fetch_rowsBreakOffInTheMidst_failsAndMayBeTriedAgain() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute("CREATE TABLE a AS SELECT seq AS id, now() AS at FROM seq_1_to_10000");
    try (CuttingProxy proxy = new CuttingProxy(SourceServer.MARIADB, database.port())) {
      String readable = " ssl_mode=disabled compression=disabled";
      Source source =
          source(
              database.behind(proxy.port()).connectionString() + readable,
              database.name(),
              "a",
              "UTC");

      assertThatThrownBy(() ->
              read((reader, session) -> {
                SourceSchema ignored = reader.schema(source);
                session.execute("BEGIN TRANSACTION");
                Instant unused = reader.snapshot(source).clock();
                // The scan is prepared, then executed.
                proxy.cutAt(2, CuttingProxy.Cut.WITHIN, 1);
                reader.fetch(
                    source,
                    "CREATE TEMP TABLE t AS FROM %s.%s.a"
                        .formatted(DIALECT.attachedName(source), database.name()));
                return "";
              }))
          .isInstanceOfSatisfying(
              FeatureException.class,
              e -> {
                assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE);
                assertThat(e.mayPass()).as(e.getMessage()).isTrue();
              })
          .hasMessageContaining("Failed to fetch result row");
    }
  }

  @Test
  void snapshot_clock_isTheServersWhateverItsTimeZone() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    Source source = source(database, "a");

    Instant clock =
        read((reader, session) -> {
          reader.prepare(source);
          session.execute("BEGIN TRANSACTION");
          return reader.snapshot(source).clock();
        });

    assertThat(Duration.between(clock, Instant.now()).abs()).isLessThan(Duration.ofMinutes(1));
  }

  @ParameterizedTest
  @ValueSource(strings = {"UTC", "Europe/Berlin"})
  void rejected_rowsOfEachKind_areCountedOnce(String zone) throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (customer_id INT, at DATETIME(6), note TEXT);
        INSERT INTO orders VALUES (1, '2026-01-01', 'a'), (NULL, '2026-01-01', 'b'),
          (NULL, NULL, 'c'), (2, NULL, 'd'), (3, '2026-11-24 00:00:00.123457', 'e'),
          (3, '2026-11-24 00:00:00.123456', 'f')
        """);
    Source source = source(database.connectionString(), database.name(), "orders", zone);
    Instant asOf =
        Instant.parse(
            zone.equals("UTC") ? "2026-11-24T00:00:00.123456Z" : "2026-11-23T23:00:00.123456Z");

    SourceReader.Rejected rejected =
        read((reader, session) ->
            reader.rejected(
                source,
                reader.schema(source),
                List.of(new JoinKey("customer_id", Primitive.INT64)),
                asOf));

    assertThat(rejected).isEqualTo(new SourceReader.Rejected(6, 2, 1, 1));
  }

  private static void execute(TestMariaDb.Database database, String sql) {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }
}
