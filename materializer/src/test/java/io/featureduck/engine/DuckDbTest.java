package io.featureduck.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.Cancellation;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions follow one another in one instance, and leave nothing behind in it. */
final class DuckDbTest {
  @TempDir private Path directory = Path.of("");

  private DuckDb duckDb = duckDb(directory);

  private static DuckDb duckDb(Path directory) {
    var settings = TestDefinitions.materializer(directory);
    return new DuckDb(settings, new Extensions(settings.extensionDirectory()));
  }

  @BeforeEach
  void open() {
    duckDb = duckDb(directory);
  }

  @AfterEach
  void close() {
    duckDb.close();
  }

  private Path folderOf(Cancellation cancellation, String... statements) {
    try (DuckDbSession session = duckDb.open(cancellation)) {
      List.of(statements).forEach(session::execute);
      return session.folder();
    }
  }

  private static long connections(TestPostgres.Database database) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'")) {
      assertThat(rows.next()).isTrue();
      return rows.getLong(1);
    }
  }

  @Test
  void open_afterAnotherSession_hasItsInstanceAndNothingElseOfIt() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    String attach =
        "ATTACH '%s' AS source_orders (TYPE postgres, READ_ONLY)"
            .formatted(database.connectionString());
    Path first;
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      session.load("postgres_scanner");
      session.execute(attach);
      session.execute("BEGIN TRANSACTION");
      session.execute("CREATE TEMP TABLE rows__own AS SELECT 1 AS one");
      session.execute("SELECT * FROM postgres_query('source_orders', 'SELECT 1 AS one')");
      first = session.folder();
    }

    assertThat(connections(database)).isZero();
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      assertThat(session.folder()).isEqualTo(first);
      session.load("postgres_scanner");
      session.execute(attach);
      session.execute("CREATE TEMP TABLE rows__own AS SELECT 2 AS two");
      assertThat(
              session.list(
                  "SELECT current_setting('TimeZone') || current_setting('pg_experimental_filter_pushdown')",
                  row -> row.getString(1)))
          .containsExactly("UTCfalse");
    }
  }

  @Test
  void open_whileAnotherSessionIsOpen_hasAnInstanceOfItsOwn() {
    try (DuckDbSession one = duckDb.open(new Cancellation());
        DuckDbSession two = duckDb.open(new Cancellation())) {
      assertThat(two.folder()).isNotEqualTo(one.folder());
    }
  }

  @Test
  void close_afterAFailureOrACancellation_givesTheInstanceUp() {
    Path first = folderOf(new Cancellation());
    assertThatThrownBy(() -> folderOf(new Cancellation(), "SELECT * FROM nowhere"))
        .isInstanceOf(FeatureException.class);
    assertThat(first).doesNotExist();
    Cancellation cancellation = new Cancellation();
    Path second;
    try (DuckDbSession session = duckDb.open(cancellation)) {
      second = session.folder();
      cancellation.cancel(ErrorCode.CANCELLED, "enough");
    }
    assertThat(second).isNotEqualTo(first).doesNotExist();
  }

  @Test
  void close_instancesThatNoSessionUses_removesTheirFolders() {
    Path folder = folderOf(new Cancellation());
    assertThat(folder).exists();

    duckDb.close();

    assertThat(folder).doesNotExist();
  }
}
