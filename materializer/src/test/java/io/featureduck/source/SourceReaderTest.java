package io.featureduck.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.engine.Extensions;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.SourceSchema;
import io.featureduck.store.Cancellation;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SourceReaderTest {
  private static final Instant NOW = Instant.parse("2026-11-24T00:00:00.123456Z");

  @TempDir private Path directory = Path.of("");

  private <T> T read(Function<SourceReader, T> question) {
    MaterializerSettings settings = TestDefinitions.materializer(directory);
    DuckDb duckDb = new DuckDb(settings, new Extensions(settings.extensionDirectory()));
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      return question.apply(new SourceReader(session, InstantSource.fixed(NOW.plusNanos(789))));
    }
  }

  private static List<String> lines(SourceSchema schema) {
    return schema.columns().stream()
        .map(c ->
            c.name()
                + " "
                + c.type().map(FeatureType::toString).orElse("-")
                + (c.zoned() ? " zoned" : ""))
        .toList();
  }

  @Test
  void schema_postgresTable_hasEachTypeAsTheServerSaysIt() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE SCHEMA "My Shop";
        CREATE TYPE "My Shop".mood AS ENUM ('good', 'bad');
        CREATE DOMAIN "My Shop".money2 AS NUMERIC(10,2);
        CREATE TABLE "My Shop"."or""ders 'x'" (
          a BOOLEAN, b SMALLINT, c INTEGER, d BIGINT, e REAL, f DOUBLE PRECISION, g NUMERIC,
          h NUMERIC(12,2), i TEXT, j VARCHAR(5), k CHAR(3), l UUID, m "My Shop".mood, n TIME,
          o BYTEA, p DATE, q TIMESTAMP, r TIMESTAMPTZ, s JSON, t JSONB, u INT[], v TEXT[],
          w NUMERIC(5,1)[], x INT[][], y INTERVAL, z "My Shop".money2, "Zwei Wörter" INT,
          gone INT, aa NUMERIC(3));
        ALTER TABLE "My Shop"."or""ders 'x'" DROP COLUMN gone;
        """);
    Source source =
        TestDefinitions.table(
            "orders", database.connectionString(), "My Shop", "or\"ders 'x'", Map.of());

    SourceSchema schema = read(reader -> reader.schema(source));

    assertThat(lines(schema))
        .containsExactly(
            "a BOOL",
            "b INT32",
            "c INT32",
            "d INT64",
            "e FLOAT32",
            "f FLOAT64",
            "g -",
            "h DECIMAL(12,2)",
            "i STRING",
            "j STRING",
            "k STRING",
            "l STRING",
            "m STRING",
            "n STRING",
            "o BYTES",
            "p DATE",
            "q TIMESTAMP",
            "r TIMESTAMP zoned",
            "s JSON",
            "t JSON",
            "u ARRAY<INT32>",
            "v ARRAY<STRING>",
            "w ARRAY<DECIMAL(5,1)>",
            "x -",
            "y -",
            "z STRING",
            "Zwei Wörter INT32",
            "aa DECIMAL(3,0)");
    assertThat(schema.column("g").orElseThrow().engineType()).isEqualTo("numeric");
  }

  @Test
  void schema_numericWithoutPrecision_hasNoType() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute("CREATE TABLE orders (amount NUMERIC)");
    Source source =
        TestDefinitions.table("orders", database.connectionString(), "public", "orders", Map.of());

    assertThat(lines(read(reader -> reader.schema(source)))).containsExactly("amount -");
  }

  @Test
  void schema_tableIsNotThere_namesTheNearest() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute("CREATE TABLE orders (id INT)");
    Source source =
        TestDefinitions.table("shop", database.connectionString(), "public", "order", Map.of());

    assertThatThrownBy(() -> read(reader -> reader.schema(source)))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_SCHEMA))
        .hasMessageContaining("source shop: there is no table 'public.order'")
        .hasMessageContaining("public.orders");
  }

  @Test
  void schema_databaseUnreachable_saysWhereAndHidesThePassword() {
    Source source =
        TestDefinitions.table(
            "orders",
            "host=127.0.0.1 port=1 user=u password=geheim dbname=d",
            "public",
            "orders",
            Map.of());

    assertThatThrownBy(() -> read(reader -> reader.schema(source)))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE);
              assertThat(String.valueOf(e.getCause())).doesNotContain("geheim");
            })
        .hasMessageContaining("source orders: ")
        .hasMessageContaining("127.0.0.1")
        .hasMessageNotContaining("geheim");
  }

  @Test
  void schema_fileIsNotThere_saysWhich() {
    Source source =
        TestDefinitions.files("clicks", Source.Format.CSV, "/nowhere/clicks*.csv", Map.of());

    assertThatThrownBy(() -> read(reader -> reader.schema(source)))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE))
        .hasMessageContaining("source clicks: ")
        .hasMessageContaining("/nowhere/clicks*.csv");
  }

  @Test
  void schema_files_hasEachTypeAsDuckDbSaysIt() throws Exception {
    Path csv = directory.resolve("it's.csv");
    Files.writeString(csv, "id,at,price,name\n1,2026-01-01T00:00:00Z,1.5,a\n");
    Path json = directory.resolve("x.json");
    Files.writeString(json, "{\"id\": 1, \"tags\": [\"a\"], \"deep\": {\"x\": 1}}\n");

    assertThat(
            lines(
                read(reader ->
                    reader.schema(
                        TestDefinitions.files("c", Source.Format.CSV, csv.toString(), Map.of())))))
        .containsExactly("id INT64", "at TIMESTAMP zoned", "price FLOAT64", "name STRING");
    assertThat(
            lines(
                read(reader ->
                    reader.schema(
                        TestDefinitions.files(
                            "j", Source.Format.JSON, json.toString(), Map.of())))))
        .containsExactly("id INT64", "tags ARRAY<STRING>", "deep -");
  }

  @Test
  void snapshot_ofFiles_isTheRunsClockInMicroseconds() {
    Source source = TestDefinitions.files("c", Source.Format.CSV, "/nowhere", Map.of());

    Instant now = read(reader -> reader.snapshot(source).clock());

    assertThat(now).isEqualTo(NOW);
  }

  @Test
  void snapshot_ofDatabase_isItsOwnClock() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    Source source =
        TestDefinitions.table("o", database.connectionString(), "public", "o", Map.of());

    assertThat(
            Duration.between(read(reader -> reader.snapshot(source).clock()), Instant.now()).abs())
        .isLessThan(Duration.ofMinutes(1));
  }

  @Test
  void snapshot_ofTwoTablesOfOneDatabase_isOne() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute("CREATE TABLE a (n INT); CREATE TABLE b (n INT)");
    Source a = TestDefinitions.table("a", database.connectionString(), "public", "a", Map.of());
    Source b = TestDefinitions.table("b", database.connectionString(), "public", "b", Map.of());

    readInTransaction((reader, session) -> {
      SourceReader.Snapshot first = reader.snapshot(a);
      execute(database, "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");

      assertThat(reader.snapshot(b)).isEqualTo(first);
      assertThat(count(session, b, "true")).isZero();
      assertThat(count(session, a, "true")).isZero();
    });
  }

  /** Such a server exports no snapshot; the table is large enough to be read in parallel. */
  @Test
  void snapshot_serverWithoutExport_isOneAllTheSame() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE big (n INT, filler TEXT) WITH (fillfactor = 40);
        INSERT INTO big SELECT 0, repeat('x', 900) FROM generate_series(1, 20000);
        ANALYZE big
        """);
    database.execute("ALTER DATABASE " + database.name() + " SET rds.extensions = 'on'");
    Source big = TestDefinitions.table("b", database.connectionString(), "public", "big", Map.of());

    readInTransaction((reader, session) -> {
      session.execute("SET threads = 4");
      SourceReader.Snapshot ignored = reader.snapshot(big);
      execute(database, "UPDATE big SET n = 1");

      assertThat(count(session, big, "n = 0")).isEqualTo(20_000);
      assertThat(count(session, big, "n = 1")).isZero();
    });
  }

  private void readInTransaction(BiConsumer<SourceReader, DuckDbSession> check) {
    MaterializerSettings settings = TestDefinitions.materializer(directory);
    DuckDb duckDb = new DuckDb(settings, new Extensions(settings.extensionDirectory()));
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      session.execute("BEGIN TRANSACTION");
      check.accept(new SourceReader(session, InstantSource.fixed(NOW)), session);
    }
  }

  private static long count(DuckDbSession session, Source source, String condition) {
    Source.Table table = (Source.Table) source.location();
    return session
        .list(
            "SELECT count(*) FILTER (WHERE %s) FROM %s.public.%s"
                .formatted(condition, new DuckDbDialect().attachedName(source), table.table()),
            row -> row.getLong(1))
        .getFirst();
  }

  private static void execute(TestPostgres.Database database, String sql) {
    try {
      database.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void rejected_rowsOfEachKind_areCountedOnce() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (customer_id INT, at TIMESTAMP, note TEXT);
        INSERT INTO orders VALUES (1, '2026-01-01', 'a'), (NULL, '2026-01-01', 'b'),
          (NULL, NULL, 'c'), (2, NULL, 'd'), (3, '2026-11-24 00:00:00.123457', 'e'),
          (3, '2026-11-24 00:00:00.123456', 'f')
        """);
    Source source =
        TestDefinitions.table("o", database.connectionString(), "public", "orders", Map.of());

    SourceReader.Rejected rejected =
        read(reader ->
            reader.rejected(
                source,
                reader.schema(source),
                List.of(new JoinKey("customer_id", Primitive.INT64)),
                NOW));

    assertThat(rejected).isEqualTo(new SourceReader.Rejected(6, 2, 1, 1));
    assertThat(rejected.taken()).isEqualTo(2);
  }
}
