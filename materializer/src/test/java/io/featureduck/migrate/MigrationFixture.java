package io.featureduck.migrate;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/** An old table and a store to migrate it into, in one database or in two. */
final class MigrationFixture {
  static final String TABLE =
      """
      CREATE TABLE online_features (feature_view TEXT, entity_key TEXT, features JSONB,
        event_timestamp TIMESTAMPTZ, updated_at TIMESTAMPTZ, PRIMARY KEY (feature_view, entity_key));
      """;

  private final TestPostgres.Database old;
  private final TestPostgres.Database store;
  private final boolean oneDatabase;
  private final List<String> phases = new CopyOnWriteArrayList<>();

  private MigrationFixture(
      TestPostgres.Database old, TestPostgres.Database store, boolean oneDatabase) {
    this.old = old;
    this.store = store;
    this.oneDatabase = oneDatabase;
  }

  static MigrationFixture inOneDatabase() throws SQLException {
    TestPostgres.Database database = TestPostgres.newDatabase();
    MigrationFixture fixture = new MigrationFixture(database, database, true);
    fixture.openStore().migrate();
    return fixture;
  }

  static MigrationFixture inTwoDatabases() throws SQLException {
    MigrationFixture fixture =
        new MigrationFixture(TestPostgres.newDatabase(), TestPostgres.newDatabase(), false);
    fixture.openStore().migrate();
    return fixture;
  }

  TestPostgres.Database old() {
    return old;
  }

  TestPostgres.Database store() {
    return store;
  }

  OnlineStore openStore() {
    return OnlineStore.open(settings());
  }

  OnlineStoreSettings settings() {
    return TestDefinitions.store(store, "public");
  }

  /** Returns what was told of the phases so far. */
  List<String> phases() {
    return phases;
  }

  MigrationRequest request() {
    return request(3);
  }

  MigrationRequest request(int batchRows) {
    return new MigrationRequest(
        settings(),
        oneDatabase ? Optional.empty() : Optional.of(TestDefinitions.store(old, "public")),
        "public",
        "online_features",
        OldColumns.of(Map.of()),
        batchRows,
        "test");
  }

  /** Goes on with the migration, beginning it with whatever schema is found where there is none. */
  MigrationReport run(boolean finish) {
    return run(inferring(), finish);
  }

  MigrationReport run(SchemaRequest schema, boolean finish) {
    return run(request(), schema, finish);
  }

  MigrationReport run(MigrationRequest request, SchemaRequest schema, boolean finish) {
    try (SingleTableMigration migration = open(request)) {
      return migration.run(schema, true, finish);
    }
  }

  /**
   * Returns what is found before anything begins; what begins because nothing had to be found is
   * undone.
   */
  MigrationReport show(SchemaRequest schema) {
    try (SingleTableMigration migration = open(request())) {
      MigrationReport report = migration.run(schema, false, false);
      if (report.state() == MigrationReport.State.FOLLOWING) {
        MigrationReport ignored = migration.abort();
      }
      return report;
    }
  }

  MigrationReport abort() {
    try (SingleTableMigration migration = open(request())) {
      return migration.abort();
    }
  }

  SingleTableMigration open(MigrationRequest request) {
    return open(request, Duration.ofSeconds(10));
  }

  SingleTableMigration open(MigrationRequest request, Duration patience) {
    return SingleTableMigration.open(
        request,
        new MigrationProgress() {
          @Override
          public void begins(Proposal proposal) {
            phases.add("begins");
          }

          @Override
          public void phase(String words) {
            phases.add(words);
          }

          @Override
          public void copied(String view, long rows, long ofRows) {}
        },
        patience);
  }

  static SchemaRequest inferring() {
    return new SchemaRequest(SchemaFile.none(), name -> Optional.empty(), Optional.empty());
  }

  static SchemaRequest file(String schemaFile) {
    return new SchemaRequest(
        SchemaFile.parse(schemaFile), name -> Optional.empty(), Optional.empty());
  }

  static SchemaRequest separated(String separator) {
    return new SchemaRequest(SchemaFile.none(), name -> Optional.empty(), Optional.of(separator));
  }

  /** Returns the rows of a select as lines, values apart by a blank. */
  static List<String> rows(TestPostgres.Database database, String select) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement()) {
      statement.execute("SET TIME ZONE 'UTC'");
      List<String> lines = new ArrayList<>();
      try (ResultSet rows = statement.executeQuery(select)) {
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
          List<String> values = new ArrayList<>();
          for (int i = 1; i <= columns; i++) {
            values.add(String.valueOf(rows.getString(i)));
          }
          lines.add(String.join(" ", values));
        }
      }
      return lines;
    }
  }

  List<String> oldRows(String select) throws SQLException {
    return rows(old, select);
  }

  List<String> storeRows(String select) throws SQLException {
    return rows(store, select);
  }

  /** Returns all that a migration may add to the databases: relations, functions and triggers. */
  List<String> objects() throws SQLException {
    String select =
        """
        SELECT 'relation ' || c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S', 'i')
        UNION ALL SELECT 'function ' || proname FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
        ORDER BY 1
        """;
    List<String> objects = new ArrayList<>(oldRows(select));
    objects.addAll(storeRows(select));
    return objects;
  }
}
