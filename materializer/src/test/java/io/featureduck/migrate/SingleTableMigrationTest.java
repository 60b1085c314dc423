package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole migrations of small tables. */
@Timeout(60)
class SingleTableMigrationTest {
  private static final String TEN_ROWS =
      MigrationFixture.TABLE
          + """
          INSERT INTO online_features
          SELECT 'v', i::text, jsonb_build_object('n', i, 's', 'row ' || i), '2026-01-01Z', '2026-01-02Z'
          FROM generate_series(1, 10) i;
          """;

  @Test
  void finish_edgeRows_areEqualInTheTypedTablesAndForOldReaders() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture
        .old()
        .execute(
            MigrationFixture.TABLE
                + """
                INSERT INTO online_features VALUES
                  ('plain', '1', '{"n": 1, "x": 0.1, "big": 9223372036854775807, "b": true, "s": "a''b\\\\c\\"", "d": 12345678901234567890123456789.5}', '2026-01-01Z', '2026-01-02Z'),
                  ('plain', '2', '{"n": null, "x": 5e-3, "big": -1, "b": null, "s": "", "d": 1.5}', NULL, '2026-01-02Z'),
                  ('plain', '', '{"n": 0, "x": 1e300, "big": 0, "b": false, "s": "日本\\t", "d": 0.5}', '0001-01-01Z', '2026-01-02Z'),
                  ('arrays', 'k 1', '{"e": [0.1, 2, null], "t": ["a", null, "b,c"], "empty": []}', '9999-12-31Z', '1999-12-31Z'),
                  ('arrays', 'é', '{"e": [], "t": [], "empty": []}', '2026-01-01 10:00:00.123456Z', '2026-01-02Z'),
                  ('nested', '-7', '{"o": {"a": [1, {"b": null}]}, "mixed": [1, "2"], "none": null}', '2026-01-01Z', '2026-01-02Z'),
                  ('nested', '8', '{"o": [1], "none": null}', '2026-01-01Z', '2026-01-02Z'),
                  ('names', '1', '{"Total Spent": 1.5, "a\\"b": 2}', '2026-01-01Z', '2026-01-02Z'),
                  ('empty', '1', '{}', '2026-01-01Z', '2026-01-02Z')
                """);
    List<String> before = fixture.oldRows(READ);

    MigrationReport report = fixture.run(true);

    assertThat(report.state()).isEqualTo(MigrationReport.State.FINISHED);
    assertThat(report.noReadersView()).isEmpty();
    assertThat(report.readersNote()).isEmpty();
    assertThat(fixture.oldRows(READ)).isEqualTo(before);
    assertThat(
            fixture.storeRows(
                "SELECT entity_key, n, x, big, b, s, d, event_timestamp FROM online_plain ORDER BY 1"))
        .containsExactly(
            " 0 1e+300 0 f 日本\t 0.5 0001-01-01 00:00:00+00",
            "1 1 0.1 9223372036854775807 t a'b\\c\" 12345678901234567890123456789.5 2026-01-01 00:00:00+00",
            "2 null 0.005 -1 null  1.5 null");
    assertThat(fixture.storeRows("SELECT entity_key, e, t, empty FROM online_arrays ORDER BY 1"))
        .containsExactly("k 1 {0.1,2,NULL} {a,NULL,\"b,c\"} []", "é {} {} []");
    assertThat(fixture.storeRows("SELECT total_spent, a_b, updated_at FROM online_names"))
        .containsExactly("1.5 2 2026-01-02 00:00:00+00");
    assertThat(fixture.openStore().liveViews())
        .extracting(LiveView::view)
        .containsExactly("arrays", "empty", "names", "nested", "plain");
    assertThat(fixture.objects())
        .contains("relation " + report.renamedTo().orElseThrow(), "relation online_features")
        .noneMatch(object -> object.contains("queue") || object.contains("featureduck_migration_1"))
        .noneMatch(object -> object.startsWith("trigger"));
  }

  private static final String READ =
      "SELECT feature_view, entity_key, features, event_timestamp, updated_at FROM online_features ORDER BY feature_view COLLATE \"C\", entity_key COLLATE \"C\"";

  @Test
  void finish_toldConversions_areMadeAndNoViewPretendsOtherwise() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture
        .old()
        .execute(
            MigrationFixture.TABLE
                + """
                INSERT INTO online_features VALUES
                  ('v', 'a:1', '{"t": "2026-01-01T12:00:00+02:00", "s": 5, "f": 0.123456789012345678, "b": "AAEC", "x": 1}', NULL, NULL),
                  ('v', 'b|c:2', '{"t": null, "s": "five", "f": 1, "b": "", "x": {"y": 1}}', NULL, NULL)
                """);
    SchemaRequest schema =
        MigrationFixture.file(
            """
            {"views": [{"feature_view": "v", "view": "renamed", "key_separator": ":",
              "join_keys": [{"name": "k", "type": "STRING"}, {"name": "n", "type": "INT64"}],
              "features": [{"from": "t", "name": "at", "type": "TIMESTAMP"}, {"from": "s", "type": "STRING"},
                {"from": "f", "type": "FLOAT64"}, {"from": "b", "type": "BYTES"}],
              "ignored": ["x"]}]}
            """);

    MigrationReport report = fixture.run(schema, true);

    assertThat(fixture.storeRows("SELECT entity_key, at, b, f, s FROM online_renamed ORDER BY 1"))
        .containsExactly(
            "a|1 2026-01-01 10:00:00+00 \\x000102 0.12345678901234568 5",
            "b\\|c|2 null \\x 1 five");
    assertThat(report.noReadersView().orElseThrow())
        .startsWith("readers would find other rows of view v than before, such as");
    assertThat(fixture.objects()).doesNotContain("relation online_features");
    LiveView live = fixture.openStore().liveView("renamed").orElseThrow();
    assertThat(live.joinKeys()).hasSize(2);
    assertThat(isMigrated(fixture, "renamed")).isTrue();
  }

  private static boolean isMigrated(MigrationFixture fixture, String view) {
    return fixture.openStore().registered().stream()
        .filter(registered -> registered.view().equals(view))
        .anyMatch(registered -> registered.live().orElseThrow().definition().isMigrated());
  }

  @Test
  void run_calledTwice_takesOverWhatWasWrittenBetween() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);

    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);
    assertThat(fixture.openStore().liveViews()).as("not served before the end").isEmpty();
    fixture
        .old()
        .execute(
            """
            UPDATE online_features SET features = '{"n": 100, "s": "new"}' WHERE entity_key = '3';
            DELETE FROM online_features WHERE entity_key = '4';
            UPDATE online_features SET entity_key = '50' WHERE entity_key = '5';
            INSERT INTO online_features VALUES ('v', '11', '{"n": 11}');
            INSERT INTO online_features VALUES ('v', '12', '{"n": 12}');
            DELETE FROM online_features WHERE entity_key = '12'
            """);
    MigrationReport again = fixture.run(false);

    assertThat(again.queued()).isZero();
    assertThat(
            fixture.storeRows("SELECT entity_key, n, s FROM featureduck_migration_1_1 ORDER BY n"))
        .containsExactly(
            "1 1 row 1",
            "2 2 row 2",
            "50 5 row 5",
            "6 6 row 6",
            "7 7 row 7",
            "8 8 row 8",
            "9 9 row 9",
            "10 10 row 10",
            "11 11 null",
            "3 100 new");
    fixture.old().execute("DELETE FROM online_features WHERE entity_key > '5'");
    MigrationReport finished = fixture.run(true);
    assertThat(finished.views())
        .singleElement()
        .hasToString("Moved[view=v, rows=5, runId=Optional[1]]");
    assertThat(finished.noReadersView()).isEmpty();
    assertThat(finished.readersNote())
        .contains(
            "rows of view v have a null where they had nothing, or nothing where they had a null, or a time of update where they had none, such as 11");
  }

  @Test
  void run_oldTableTruncated_beginsAnew() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);

    fixture
        .old()
        .execute(
            "TRUNCATE online_features; INSERT INTO online_features VALUES ('v', '1', '{\"n\": -1}')");
    MigrationReport report = fixture.run(true);

    assertThat(report.state()).isEqualTo(MigrationReport.State.FINISHED);
    assertThat(fixture.phases()).contains("the old table was truncated: its rows are copied anew");
    assertThat(fixture.storeRows("SELECT entity_key, n, s FROM online_v"))
        .containsExactly("1 -1 null");
  }

  @Test
  void run_rowThatDoesNotFitComesIn_isNamedAndGoneOnFromWhenItFits() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);

    assertRefused(
        fixture, "'{\"n\": 1.5}'", "view v, entity 3: feature n is 1.5, which is no INT64");
    assertRefused(
        fixture, "'{\"new\": 1}'", "features that the schema does not know: {\"new\": 1}");
    assertRefused(fixture, "'[]'", "its features are array, no object");
    assertRefused(fixture, "NULL", "its features are NULL, no object");
    fixture.old().execute("INSERT INTO online_features VALUES ('v', 'x', '{}')");
    assertRefused(fixture, "'{\"n\": 3}'", "entity x: its key is none of entity_id INT64");
    fixture.old().execute("DELETE FROM online_features WHERE entity_key = 'x'");
    fixture.old().execute("INSERT INTO online_features VALUES ('w', '1', '{}')");
    assertRefused(fixture, "'{\"n\": 3}'", "a view 'w' has come into public.online_features");
    fixture.old().execute("DELETE FROM online_features WHERE feature_view = 'w'");

    assertThat(fixture.run(true).state()).isEqualTo(MigrationReport.State.FINISHED);
    assertThat(fixture.storeRows("SELECT n, s FROM online_v WHERE entity_key = '3'"))
        .containsExactly("3 null");
  }

  private static void assertRefused(MigrationFixture fixture, String features, String why)
      throws SQLException {
    fixture
        .old()
        .execute(
            "UPDATE online_features SET features = %s WHERE entity_key = '3'".formatted(features));
    assertThatThrownBy(() -> assertThat(fixture.run(true)).isNull())
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining(why);
    assertThat(fixture.openStore().liveViews()).isEmpty();
  }

  @Test
  void run_writerWithoutOtherRights_isQueuedAndReadersMayReadOn() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    String role = "writer_" + fixture.old().name();
    fixture
        .old()
        .execute(
            "CREATE ROLE %1$s; GRANT SELECT, INSERT, UPDATE, DELETE ON online_features TO %1$s"
                .formatted(role));
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);

    fixture
        .old()
        .execute(
            "SET ROLE %s; UPDATE online_features SET features = '{\"n\": 0}' WHERE entity_key = '1'"
                .formatted(role));
    assertThat(fixture.run(true).noReadersView()).isEmpty();

    assertThat(fixture.storeRows("SELECT n FROM online_v WHERE entity_key = '1'"))
        .containsExactly("0");
    fixture.old().execute("SET ROLE %s; SELECT * FROM online_features".formatted(role));
    fixture.old().execute("DROP OWNED BY %1$s; DROP ROLE %1$s".formatted(role));
  }

  @Test
  void run_replicaRole_isQueuedToo() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);

    fixture
        .old()
        .execute(
            "SET session_replication_role = replica; DELETE FROM online_features WHERE entity_key <> '1'");

    assertThat(fixture.run(true).views())
        .singleElement()
        .hasToString("Moved[view=v, rows=1, runId=Optional[1]]");
  }

  @Test
  void finish_triggersTurnedOff_refusesToSwitch() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);

    fixture.old().execute("ALTER TABLE online_features DISABLE TRIGGER USER");
    assertFails(() -> fixture.run(true), ErrorCode.SOURCE_SCHEMA, "turned off or removed");
    fixture.old().execute("DELETE FROM online_features WHERE entity_key = '1'");
    fixture
        .old()
        .execute(
            "ALTER TABLE online_features ENABLE ALWAYS TRIGGER featureduck_migration, ENABLE ALWAYS TRIGGER featureduck_migration_truncate");
    assertFails(() -> fixture.run(true), ErrorCode.INTERNAL, "rows are not those of");
    assertThat(fixture.abort().state()).isEqualTo(MigrationReport.State.ABORTED);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void abort_unfinishedMigration_leavesAllAsItWas(boolean oneDatabase) throws SQLException {
    MigrationFixture fixture =
        oneDatabase ? MigrationFixture.inOneDatabase() : MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    List<String> before = fixture.objects();
    List<String> rows = fixture.oldRows(READ);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);
    assertThat(fixture.objects()).isNotEqualTo(before);

    assertThat(fixture.abort().state()).isEqualTo(MigrationReport.State.ABORTED);

    assertThat(fixture.objects()).isEqualTo(before);
    assertThat(fixture.oldRows(READ)).isEqualTo(rows);
    assertFails(fixture::abort, ErrorCode.INVALID_CONFIG, "no migration is under way");
    assertThat(fixture.run(true).state())
        .as("from the beginning")
        .isEqualTo(MigrationReport.State.FINISHED);
  }

  @Test
  void finish_again_answersTheSame() throws SQLException {
    for (MigrationFixture fixture :
        List.of(MigrationFixture.inOneDatabase(), MigrationFixture.inTwoDatabases())) {
      fixture.old().execute(TEN_ROWS);
      MigrationReport first = fixture.run(true);

      MigrationReport again = fixture.run(true);

      assertThat(again.state()).isEqualTo(MigrationReport.State.FINISHED);
      assertThat(again.views()).isEqualTo(first.views());
      assertThat(again.renamedTo()).isEqualTo(first.renamedTo());
      assertThat(again.noReadersView()).isEqualTo(first.noReadersView());
      assertFails(fixture::abort, ErrorCode.INVALID_CONFIG, "no migration is under way");
    }
  }

  @Test
  void open_anotherProcessMigrates_isLocked() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);

    try (SingleTableMigration first = fixture.open(fixture.request())) {
      assertFails(
          () -> fixture.open(fixture.request(), Duration.ofMillis(200)).close(),
          ErrorCode.LOCKED,
          "another process is migrating");
      assertThat(first.run(MigrationFixture.inferring(), true, true).state())
          .isEqualTo(MigrationReport.State.FINISHED);
    }
  }

  @Test
  void run_anotherTableWhileOneIsUnderWay_isRefused() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS + "CREATE TABLE other AS SELECT * FROM online_features");
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);
    MigrationRequest other =
        new MigrationRequest(
            fixture.settings(),
            Optional.empty(),
            "public",
            "other",
            OldColumns.of(Map.of()),
            10,
            "test");

    assertFails(
        () -> fixture.run(other, MigrationFixture.inferring(), false),
        ErrorCode.INVALID_CONFIG,
        "the migration of public.online_features is under way, and not that of public.other");
  }

  @Test
  void run_twoStoresOneTable_theSecondIsLocked() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);
    MigrationFixture other = MigrationFixture.inOneDatabase();
    MigrationRequest intoOther =
        new MigrationRequest(
            other.settings(),
            Optional.of(fixture.settings()),
            "public",
            "online_features",
            OldColumns.of(Map.of()),
            10,
            "test");

    assertFails(
        () -> fixture.run(intoOther, MigrationFixture.inferring(), false),
        ErrorCode.LOCKED,
        "is being migrated into another store");
    assertThat(fixture.run(true).state()).isEqualTo(MigrationReport.State.FINISHED);
  }

  @Test
  void request_storeInMySql_isRefused() {
    OnlineStoreSettings mySql =
        new OnlineStoreSettings(
            OnlineStoreSettings.Type.MYSQL,
            "mysql://duck@127.0.0.1/duck",
            Optional.empty(),
            "duck",
            Duration.ofSeconds(1),
            1,
            2,
            128,
            10_000);

    assertFails(
        () ->
            new MigrationRequest(
                mySql,
                Optional.empty(),
                "duck",
                "online_features",
                OldColumns.of(Map.of()),
                10,
                "test"),
        ErrorCode.INVALID_CONFIG,
        "the online store is in MySQL");
  }

  @Test
  void run_targetIsThereAlready_isRefusedBeforeAnythingBegins() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS + "CREATE TABLE online_v ()");
    assertThat(problems(fixture)).containsExactly("the store has a table online_v already");

    fixture.old().execute("DROP TABLE online_v");
    LiveView ignored = register(fixture, List.of(new Feature("n", Primitive.INT64)));
    assertThat(problems(fixture)).containsExactly("the store has a view v already");
    assertThat(fixture.objects()).noneMatch(object -> object.startsWith("trigger"));
  }

  private static List<String> problems(MigrationFixture fixture) {
    MigrationReport report = fixture.run(true);
    assertThat(report.state()).isEqualTo(MigrationReport.State.REFUSED);
    return report.proposal().orElseThrow().views().getFirst().problems();
  }

  private static LiveView register(MigrationFixture fixture, List<Feature> features) {
    return fixture.openStore().register(view("orders"), features, "test");
  }

  private static FeatureView view(String source) {
    return TestDefinitions.view(
        "v", source, "{\"name\": \"v\", \"source\": \"%s\"}".formatted(source));
  }

  @Test
  void finish_viewRegisteredMeanwhile_isRefusedAndChangesNothing() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);
    LiveView ignored = register(fixture, List.of(new Feature("n", Primitive.INT64)));
    List<String> before = fixture.objects();

    assertFails(() -> fixture.run(true), ErrorCode.LOCKED, "view v was registered meanwhile");

    assertThat(fixture.objects()).isEqualTo(before);
    assertThat(fixture.abort().state()).isEqualTo(MigrationReport.State.ABORTED);
  }

  @Test
  void finish_declaredViewThatWasRegistered_goesLiveUnderItsDefinition() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    List<Feature> features =
        List.of(new Feature("s", Primitive.STRING), new Feature("n", Primitive.INT32));
    LiveView ignored = register(fixture, features);
    SchemaRequest declared =
        new SchemaRequest(
            SchemaFile.none(),
            name -> Optional.of(new DeclaredView(view("orders"), features)),
            Optional.empty());
    try (SingleTableMigration migration = fixture.open(fixture.request())) {
      assertThat(migration.run(declared, false, true).state())
          .isEqualTo(MigrationReport.State.FINISHED);
    }

    LiveView live = fixture.openStore().liveView("v").orElseThrow();
    assertThat(isMigrated(fixture, "v")).isFalse();
    assertThat(live.asOf()).isPresent();
    assertThat(live.features()).isEqualTo(features);
    assertThat(fixture.storeRows("SELECT source, rows, event_max FROM featureduck_watermarks"))
        .containsExactly("orders 10 2026-01-01 00:00:00+00");
  }

  @Test
  void register_migratedView_takesTheDeclaredDefinitionAndItsSource() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(true).state()).isEqualTo(MigrationReport.State.FINISHED);
    List<Feature> features =
        List.of(new Feature("n", Primitive.INT64), new Feature("s", Primitive.STRING));

    assertFails(
        () -> register(fixture, List.of(new Feature("n", Primitive.INT32))),
        ErrorCode.INVALID_CONFIG,
        "feature n: type: there INT64, here INT32; feature s is gone here");
    // The rows lie in typed columns until a run has written them otherwise.
    String json = "{\"name\": \"v\", \"source\": \"orders\", \"storage\": \"jsonb\"}";
    assertFails(
        () ->
            fixture
                .openStore()
                .register(
                    TestDefinitions.view("v", "orders", Storage.JSONB, json), features, "test"),
        ErrorCode.INVALID_CONFIG,
        "storage: there nothing, here \"jsonb\"");
    LiveView live = register(fixture, features);

    assertThat(isMigrated(fixture, "v")).isFalse();
    assertThat(live.joinKeys())
        .singleElement()
        .hasToString("JoinKey[name=customer_id, type=INT64]");
    assertThat(fixture.storeRows("SELECT source, source_hash FROM featureduck_watermarks"))
        .containsExactly("orders null");
    assertFails(
        () -> fixture.openStore().register(view("elsewhere"), features, "test"),
        ErrorCode.INVALID_CONFIG,
        "source: there \"orders\", here \"elsewhere\"");
  }

  @Test
  void finish_longReaderAndLongWriter_waitsForBothAndHoldsUpNoReader() throws Exception {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(MigrationReport.State.FOLLOWING);
    try (Connection reader = fixture.old().connect();
        Connection writer = fixture.old().connect();
        Statement read = reader.createStatement();
        Statement write = writer.createStatement()) {
      reader.setAutoCommit(false);
      read.execute("SELECT * FROM online_features");
      writer.setAutoCommit(false);
      write.execute("UPDATE online_features SET features = '{\"n\": -1}' WHERE entity_key = '1'");
      CompletableFuture<MigrationReport> finishing =
          CompletableFuture.supplyAsync(() -> fixture.run(true));

      awaitPhases(fixture, 1);
      writer.commit();
      awaitPhases(fixture, 2);
      assertThat(finishing).isNotDone();
      assertThat(fixture.oldRows("SELECT count(*) FROM online_features")).containsExactly("10");
      reader.rollback();

      assertThat(finishing.get(50, TimeUnit.SECONDS).state())
          .isEqualTo(MigrationReport.State.FINISHED);
    }
    assertThat(fixture.storeRows("SELECT n FROM online_v WHERE entity_key = '1'"))
        .containsExactly("-1");
  }

  /** Waits until the migration has waited so many times. */
  private static void awaitPhases(MigrationFixture fixture, int waits) {
    while (List.copyOf(fixture.phases()).stream().filter(p -> p.startsWith("waiting")).count()
        < waits) {
      Thread.onSpinWait();
    }
  }

  @Test
  void run_textsOfAnyOrder_areAllCopied() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture
        .old()
        .execute(
            """
            CREATE TABLE online_features (feature_view VARCHAR(40), entity_key VARCHAR(40) COLLATE "und-x-icu",
              features JSONB, PRIMARY KEY (entity_key, feature_view));
            INSERT INTO online_features
            SELECT v, chr(i) || w, jsonb_build_object('code', i)
            FROM unnest(ARRAY['v', 'V', 'it''s']) v, generate_series(33, 300) i, unnest(ARRAY['', 'a', 'B', '-', '''']) w
            WHERE i NOT BETWEEN 127 AND 160
            """);

    assertThat(fixture.run(true).state()).isEqualTo(MigrationReport.State.FINISHED);

    String expected =
        fixture
            .oldRows(
                "SELECT count(*), sum((features -> 'code')::int) FROM online_features_migrated_"
                    + fixture.oldRows("SELECT to_char(now(), 'YYYYMMDD')").getFirst()
                    + " WHERE feature_view = 'v'")
            .getFirst();
    for (String view : List.of("v", "v_2", "it_s")) {
      assertThat(fixture.storeRows("SELECT count(*), sum(code) FROM online_" + view))
          .containsExactly(expected);
    }
  }

  @Test
  void run_largeRows_areTakenFewAtATime() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture
        .old()
        .execute(
            MigrationFixture.TABLE
                + """
                INSERT INTO online_features
                SELECT 'v', i::text, jsonb_build_object('s', repeat(chr(64 + i), 24000000))
                FROM generate_series(1, 3) i
                """);

    MigrationReport report =
        fixture.run(fixture.request(1_000), MigrationFixture.inferring(), false);

    assertThat(report.views().getFirst().rows()).isEqualTo(3);
    fixture
        .old()
        .execute(
            "UPDATE online_features SET features = jsonb_set(features, '{s}', '\"x\"') WHERE entity_key = '1'");
    fixture.old().execute("UPDATE online_features SET updated_at = now()");
    assertThat(fixture.run(true).state()).isEqualTo(MigrationReport.State.FINISHED);
    assertThat(fixture.storeRows("SELECT entity_key, length(s) FROM online_v ORDER BY 1"))
        .containsExactly("1 1", "2 24000000", "3 24000000");
  }

  @Test
  void inspect_tablesThatCanNotBeMigrated_saysAllReasons() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    assertFails(
        () -> fixture.run(false),
        ErrorCode.SOURCE_SCHEMA,
        "there is no table public.online_features");
    fixture
        .old()
        .execute(
            """
            CREATE TABLE online_features (feature_view TEXT, entity_key BIGINT NOT NULL, features JSON,
              event_timestamp TEXT)
            """);

    assertFails(
        () -> fixture.run(false),
        ErrorCode.SOURCE_SCHEMA,
        "table public.online_features can't be migrated: column feature_view must be text NOT NULL, and is text;"
            + " column entity_key must be text NOT NULL, and is bigint; column features must be jsonb, and is json;"
            + " column event_timestamp must be a timestamp, and is text; it must have a unique key of feature_view and entity_key");
  }

  private static void assertFails(ThrowingCallable call, ErrorCode code, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(FeatureException.class, e -> assertThat(e.code()).isEqualTo(code))
        .hasMessageContaining(message);
  }
}
