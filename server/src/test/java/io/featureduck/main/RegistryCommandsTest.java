package io.featureduck.main;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Operator;
import io.featureduck.store.Registrar;
import io.featureduck.testing.Golden;
import io.featureduck.testing.TestPostgres;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Plans and what is applied of them, as people and scripts call for it. */
@Timeout(120)
class RegistryCommandsTest {
  private static final String SPENDING =
      """
      {"name": "spending", "entities": ["customer"], "source": "orders", "ttl": "9000d",
       "aggregations": [{"function": "sum", "column": "amount", "alias": "total"},
         {"function": "max", "column": "amount", "alias": "most"}]}
      """;
  private static final String COUNTING =
      """
      {"name": "counting", "entities": ["customer"], "source": "orders",
       "aggregations": [{"function": "count", "alias": "orders"}]}
      """;
  private static final String LATEST =
      """
      {"name": "latest", "entities": ["customer"], "source": "orders"}
      """;

  /** Adds a feature, drops one and changes a setting. */
  private static final String SPENDING_CHANGED =
      SPENDING
          .replace("9000d", "8000d")
          .replace("\"max\"", "\"min\"")
          .replace("\"most\"", "\"least\"");

  private static final String COUNTING_REMADE =
      COUNTING.replace("\"aggregations\"", "\"filters\": [\"amount > 2\"], \"aggregations\"");

  @TempDir Path folder;

  private TestPostgres.Database database = new TestPostgres.Database("none", 0);

  @BeforeEach
  void makeShop() throws Exception {
    database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (customer_id BIGINT, ordered_at TIMESTAMPTZ, amount NUMERIC(10,2));
        INSERT INTO orders VALUES (1, '2026-01-01T10:00:00Z', 1.50), (1, '2026-01-02T10:00:00Z', 2.25),
          (2, '2026-01-03T10:00:00Z', 10)
        """);
    config(SPENDING, COUNTING);
  }

  private void config(String... views) throws IOException {
    configIn("config.json", views);
  }

  private void configIn(String file, String... views) throws IOException {
    Path ignored =
        Files.writeString(
            folder.resolve(file),
            """
            {
              "project": "shop",
              "online_store": {"type": "postgres", "url": "%1$s"},
              "materializer": {"state_directory": "state", "threads": 1},
              "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]},
                {"name": "account", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
              "sources": [
                {"name": "orders", "source_type": "postgres", "connection_string": "%2$s",
                  "table": "orders", "timestamp_field": "ordered_at"},
                {"name": "away", "source_type": "postgres", "connection_string": "host=127.0.0.1 port=1 dbname=x",
                  "table": "orders", "timestamp_field": "ordered_at"}],
              "views": [%3$s]
            }
            """
                .formatted(database.url(), database.connectionString(), String.join(",\n", views)));
  }

  /** Runs a command, with the answer of a person, or with nobody there. */
  private CommandOutcome run(Optional<String> answer, String... arguments) {
    return CommandOutcome.of(folder.resolve("config.json"), new StringWriter(), answer, arguments);
  }

  private CommandOutcome run(String... arguments) {
    return run(Optional.empty(), arguments);
  }

  private void succeeds(String... arguments) {
    run(arguments).assertSuccess();
  }

  /** Compares what was printed with a golden file, but for what each run has of its own. */
  private void assertGolden(String name, String actual) {
    String text =
        actual
            .replace("127.0.0.1:" + database.port() + "/" + database.name(), "STORE")
            .replace(Operator.ofProcess(), "SOMEONE")
            .replaceAll("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z", "AT")
            .replaceAll("\\S+:" + ProcessHandle.current().pid(), "PROCESS")
            // The columns of a table are as wide as what stands in them.
            .replaceAll("(?<=\\S) {2,}", "  ")
            .replaceAll("(?m) +$", "");
    Golden.assertGolden(RegistryCommandsTest.class, name, text.stripTrailing());
  }

  private List<String> query(String sql) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(String.valueOf(rows.getString(1)));
      }
      return found;
    }
  }

  private List<String> tables() throws SQLException {
    return query(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'online%' ORDER BY 1");
  }

  @Test
  void planAndApply_newViews_areAddedWithoutAQuestion() throws Exception {
    CommandOutcome planned = run("plan", "--detailed-exitcode");
    assertThat(planned.code()).isEqualTo(3);
    assertGolden("plan_new.txt", planned.out());
    assertThat(run("plan").code()).isZero();
    assertThat(query("SELECT count(*) FROM featureduck_views")).containsExactly("0");

    CommandOutcome applied = run("apply");

    assertThat(applied.code()).isZero();
    assertGolden("apply_new.txt", applied.out());
    assertThat(query("SELECT view FROM featureduck_views WHERE live ORDER BY 1"))
        .containsExactly("counting", "spending");
    CommandOutcome again = run("plan", "--detailed-exitcode");
    assertThat(again.code()).isZero();
    assertGolden("plan_unchanged.txt", again.out());
    assertThat(run("apply").out()).isEqualTo(again.out() + "\n");
  }

  /** A view's definition has only the name of a source. */
  @Test
  void plan_sourceDeclaredOtherwise_saysWhatTheNextRunDoes() throws Exception {
    succeeds("materialize");
    String told =
        "View counting: source orders is declared otherwise than when it was last read, so the next run computes all rows anew.\n"
            + "View spending: source orders is declared otherwise than when it was last read, so the next run computes all rows anew.";
    Path file = folder.resolve("config.json");
    String text = Files.readString(file);
    assertThat(run("plan").out()).doesNotContain("declared otherwise");
    Path ignored =
        Files.writeString(
            file,
            text.replaceFirst(
                "\"timestamp_field\"", "\"row_id\": \"ordered_at\", \"timestamp_field\""));

    CommandOutcome planned = run("plan", "--detailed-exitcode");

    assertThat(planned.code()).as(planned.err()).isZero();
    assertThat(planned.out().lines().toList())
        .containsAll(told.lines().toList())
        .contains("No changes: 2 views are registered as the config has them.");
    assertThat(run("plan", "spending", "--output", "json").json().path("notes")).hasSize(1);
    succeeds("materialize");
    assertThat(run("plan").out()).doesNotContain("declared otherwise");
  }

  @Test
  void plan_everyKind_readsLikeTheGoldenFile() throws Exception {
    config(SPENDING, COUNTING, LATEST.replace("latest", "old"));
    succeeds("materialize");
    config(
        SPENDING_CHANGED,
        COUNTING_REMADE,
        LATEST,
        LATEST.replace("latest", "lost").replace("orders", "away"));

    CommandOutcome planned = run("plan", "--detailed-exitcode");

    assertThat(planned.code()).isEqualTo(1);
    assertGolden(
        "plan_every_kind.txt", planned.out().replaceAll("(?s)(source away: ).*?\n\n", "$1…\n\n"));
    JsonNode document = run("plan", "--output", "json").json();
    assertThat(document.path("views").valueStream().map(v -> v.path("action").asString()))
        .containsExactly("change", "new_version", "create", "unplanned", "remove");
    assertThat(document.path("destroys"))
        .extracting(JsonNode::asString)
        .containsExactly("feature most of view spending (2 rows)", "view old (1 table, 2 rows)");
    assertThat(document.path("views").get(0).path("added").get(0).path("column_type").asString())
        .isEqualTo("NUMERIC(10,2)");
  }

  @Test
  void apply_everyKind_isDoneAsPlanned() throws Exception {
    config(SPENDING, COUNTING, LATEST.replace("latest", "old"));
    succeeds("materialize");
    config(SPENDING_CHANGED, COUNTING_REMADE, LATEST);

    CommandOutcome applied = run("apply", "--yes", "--by", "ada");

    assertThat(applied.code()).isZero();
    assertGolden("apply_every_kind.txt", applied.out());
    assertThat(tables()).containsExactly("online_counting", "online_spending");
    assertThat(
            query(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'online_spending'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"))
        .containsExactly("entity_key", "total", "event_timestamp", "updated_at", "least");
    assertThat(run("get", "spending", "1", "--output", "json").json().path("features").toString())
        .isEqualTo("{\"total\":3.75,\"least\":null}");
    assertThat(run("get", "counting", "1", "--output", "json").json().path("version").asInt())
        .isEqualTo(1);
    assertThat(run("get", "old", "1").code()).isEqualTo(2);
    assertGolden("plan_waiting.txt", run("plan").out());

    succeeds("materialize");

    assertThat(run("get", "spending", "1", "--output", "json").json().path("features").toString())
        .isEqualTo("{\"total\":3.75,\"least\":1.5}");
    JsonNode counted = run("get", "counting", "1", "--output", "json").json();
    assertThat(counted.path("version").asInt()).isEqualTo(2);
    assertThat(counted.path("features").toString()).isEqualTo("{\"orders\":1}");
    assertThat(query("SELECT DISTINCT kind FROM featureduck_runs")).containsExactly("full");
    assertGolden("history_spending.txt", run("history", "spending").out());
    assertGolden("history_counting.txt", run("history", "counting").out());
    assertGolden("history_old.txt", run("history", "old").out());
    assertGolden("versions_counting.txt", run("versions", "counting").out());
    JsonNode versions = run("versions", "counting", "--output", "json").json().path("versions");
    assertThat(versions.valueStream().map(v -> v.path("state").asString()))
        .containsExactly("retired", "live");
    JsonNode history = run("history", "spending", "--output", "json").json().path("history");
    assertThat(history.get(0).path("by").asString()).isEqualTo("ada");
    assertThat(history.get(0).path("what").path("definition").path("ttl").asString())
        .isEqualTo("8000d");

    assertGolden("apply_prune.txt", run("apply", "--prune", "--yes").out());
    assertThat(tables()).containsExactly("online_counting__v2", "online_latest", "online_spending");
  }

  @Test
  void apply_wouldDestroyAndNobodyIsThere_refusesAndNamesWhat() throws Exception {
    succeeds("materialize");
    config(SPENDING_CHANGED);

    CommandOutcome refused = run("apply");

    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err())
        .isEqualTo(
            "featureduck apply: nothing was applied, for it would destroy feature most of view spending (2 rows); view counting (1 table, 2 rows), and there is no terminal to ask on: say --yes\n");
    assertThat(tables()).containsExactly("online_counting", "online_spending");
    assertThat(query("SELECT count(*) FROM featureduck_history WHERE action <> 'create'"))
        .containsExactly("0");
  }

  @Test
  void apply_wouldDestroyAndSomeoneIsThere_asksAndDoesWhatIsAnswered() throws Exception {
    succeeds("materialize");
    config(SPENDING);

    CommandOutcome refused = run(Optional.of("y"), "apply");
    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err())
        .isEqualTo(
            "Apply, and destroy view counting (1 table, 2 rows)? Only 'yes' does it: featureduck apply: nothing was applied\n");
    assertThat(tables()).containsExactly("online_counting", "online_spending");

    CommandOutcome applied = run(Optional.of("yes"), "apply");

    assertThat(applied.code()).isZero();
    assertThat(applied.out()).contains("counting: remove applied");
    assertThat(tables()).containsExactly("online_spending");
  }

  @Test
  void apply_namedViews_leavesTheOthersAlone() throws Exception {
    succeeds("apply");
    config(SPENDING.replace("9000d", "8000d"), COUNTING_REMADE, LATEST);

    succeeds("apply", "spending", "latest");

    assertThat(query("SELECT view || ' ' || action FROM featureduck_history ORDER BY id"))
        .containsExactlyInAnyOrder(
            "spending create", "counting create", "spending change", "latest create");
    CommandOutcome unknown = run("apply", "latset");
    assertThat(unknown.code()).isEqualTo(2);
    assertThat(unknown.err()).contains("unknown view 'latset'; did you mean 'latest'?");
    assertThat(run("plan", "latset").code()).isEqualTo(2);
    assertThat(run("history", "latset").code()).isEqualTo(2);
    assertThat(run("versions", "latset").code()).isEqualTo(2);
  }

  @Test
  void apply_migratedViewThatIsNotDeclaredYet_leavesItUnlessItIsNamed() throws Exception {
    database.execute(
        """
        CREATE TABLE online_features (feature_view TEXT, entity_key TEXT, features JSONB,
          PRIMARY KEY (feature_view, entity_key));
        INSERT INTO online_features VALUES ('old', '1', '{"n": 1}')
        """);
    CommandOutcome shown = run("migrate-single-table");
    assertThat(shown.code()).isEqualTo(2);
    succeeds("migrate-single-table", "--accept-inferred", "--finish");

    CommandOutcome applied = run("apply", "--yes");

    assertThat(applied.code()).isZero();
    assertThat(applied.out())
        .contains(
            "View old was migrated and is not declared yet: it stays; 'apply old' removes it.")
        .contains("Plan: 2 to add, 1 not declared yet.");
    assertThat(query("SELECT n FROM online_old")).containsExactly("1");
    succeeds("apply", "old", "--yes");
    assertThat(query("SELECT view FROM featureduck_views ORDER BY 1"))
        .containsExactly("counting", "spending");
  }

  @Test
  void apply_savedPlan_isAppliedIfNothingChangedSince() throws Exception {
    succeeds("materialize");
    config(SPENDING_CHANGED, COUNTING);
    String plan = folder.resolve("plan.json").toString();
    succeeds("plan", "--out", plan);

    config(SPENDING_CHANGED.replace("8000d", "8001d"), COUNTING);
    assertStale(plan, "'change spending': the config or its source has changed");
    config(SPENDING_CHANGED, COUNTING, LATEST);
    assertStale(plan, "'create latest' is not in the saved plan");
    config(SPENDING.replace("9000d", "8500d"), COUNTING);
    succeeds("apply");
    config(SPENDING_CHANGED, COUNTING);
    assertStale(plan, "'change spending': what is registered has changed");

    succeeds("plan", "--out", plan);
    CommandOutcome applied = run("apply", "--plan", plan, "--yes", "--output", "json");

    assertThat(applied.code()).as(applied.err()).isZero();
    JsonNode result = applied.json().path("results").get(0);
    assertThat(result.path("result").asString()).isEqualTo("applied");
    assertThat(result.path("dropped_columns").get(0).asString()).isEqualTo("most");
    assertThat(applied.json().path("plan").path("changes_anything").asBoolean()).isTrue();
    assertStale(plan, "'none spending' is not in the saved plan");
  }

  private void assertStale(String plan, String words) {
    CommandOutcome stale = run("apply", "--plan", plan, "--yes");
    assertThat(stale.code()).isEqualTo(1);
    assertThat(stale.err()).contains("(stale_plan)").contains(words);
  }

  @Test
  void apply_usedWrongly_exitsWith2() throws Exception {
    Path text = Files.writeString(folder.resolve("text"), "no plan");

    CommandOutcome noPlan = run("apply", "--plan", text.toString());
    CommandOutcome both = run("apply", "spending", "--plan", text.toString());

    assertThat(noPlan.code()).isEqualTo(2);
    assertThat(noPlan.err()).contains("is no plan that this FeatureDuck's 'plan --out' wrote");
    assertThat(both.code()).isEqualTo(2);
    assertThat(both.err()).contains("--plan has its own views");
    assertThat(run("apply", "--plan", folder.resolve("none").toString()).code()).isEqualTo(1);
  }

  @Test
  void planAndApply_mistakes_areToldAsByValidate() throws Exception {
    config(SPENDING.replace("\"amount\"", "\"amuont\""), COUNTING);

    CommandOutcome validated = run("validate");
    CommandOutcome planned = run("plan");
    CommandOutcome applied = run("apply");

    assertThat(planned.code()).isEqualTo(2);
    assertThat(planned.out()).isEmpty();
    assertThat(planned.err()).isEqualTo(validated.out());
    assertThat(applied.code()).isEqualTo(2);
    assertThat(applied.err()).isEqualTo(validated.out());
    assertThat(query("SELECT count(*) FROM featureduck_views")).containsExactly("0");
  }

  @Test
  void apply_sourceAway_appliesTheOthersAndExitsWith1() throws Exception {
    config(LATEST.replace("latest", "lost").replace("orders", "away"), COUNTING);

    CommandOutcome applied = run("apply");

    assertThat(applied.code()).isEqualTo(1);
    assertThat(applied.out())
        .contains("! view lost: it can't be found out what is to be done (source_unavailable)")
        .contains("counting: create applied");
    assertThat(query("SELECT view FROM featureduck_views")).containsExactly("counting");
  }

  @Test
  void materialize_whatNeedsAnApply_isRefusedAndTheOthersGoOn() throws Exception {
    succeeds("materialize");
    config(SPENDING_CHANGED, COUNTING.replace("\"source\"", "\"ttl\": \"1d\", \"source\""), LATEST);

    CommandOutcome outcome = run("materialize", "--output", "json");

    assertThat(outcome.code()).isEqualTo(1);
    JsonNode runs = outcome.json().path("runs");
    assertThat(runs.valueStream().map(r -> r.path("status").asString()))
        .containsExactly("failed", "succeeded", "succeeded");
    assertThat(runs.get(0).path("error").path("code").asString()).isEqualTo("invalid_config");
    assertThat(runs.get(0).path("error").path("detail").asString())
        .isEqualTo(
            "view spending differs from its live version 1 in what only an apply changes: feature least is new here; feature most is gone here; run 'featureduck plan', then 'featureduck apply'");
    assertThat(query("SELECT view || ' ' || action FROM featureduck_history ORDER BY id"))
        .containsExactlyInAnyOrder(
            "spending create", "counting create", "counting change", "latest create");
    assertThat(run("get", "spending", "1", "--output", "json").json().path("features").toString())
        .isEqualTo("{\"total\":3.75,\"most\":2.25}");
  }

  /** Whatever is refused is refused with the way out; these are the words. */
  @Test
  void refused_unsafeInEachWay_saysTheWayOut() throws Exception {
    succeeds("materialize");
    List<String> told = new ArrayList<>();

    config(SPENDING_CHANGED, COUNTING);
    told.add(refusal(Optional.empty(), "materialize", "spending"));
    told.add(refusal(Optional.empty(), "apply"));
    told.add(refusal(Optional.of("y"), "apply"));
    config(SPENDING, COUNTING_REMADE);
    told.add(refusal(Optional.empty(), "materialize", "counting"));
    config(SPENDING, COUNTING.replace("\"customer\"", "\"account\""));
    told.add(refusal(Optional.empty(), "materialize", "counting"));

    // Another process applies what this one knows nothing of.
    config(SPENDING_CHANGED, COUNTING);
    succeeds("plan", "--out", folder.resolve("plan.json").toString());
    succeeds("apply", "--yes", "--by", "ada");
    config(SPENDING, COUNTING);
    told.add(refusal(Optional.empty(), "materialize", "spending"));
    config(SPENDING_CHANGED.replace("8000d", "7000d"), COUNTING);
    told.add(refusal(Optional.empty(), "apply", "--plan", "PLAN"));
    config(SPENDING_CHANGED, COUNTING_REMADE);
    succeeds("apply", "--by", "ada");
    config(
        SPENDING_CHANGED,
        COUNTING.replace("\"count\"", "\"count_distinct\", \"column\": \"amount\""));
    told.add(refusal(Optional.empty(), "materialize", "counting"));
    told.add(refusal(Optional.empty(), "plan", "countign"));

    assertGolden("refused.txt", String.join("\n", told));
  }

  private String refusal(Optional<String> answer, String... arguments) {
    String[] words =
        Stream.of(arguments)
            .map(word -> word.equals("PLAN") ? folder.resolve("plan.json").toString() : word)
            .toArray(String[]::new);
    CommandOutcome outcome = run(answer, words);
    assertThat(outcome.code()).as(outcome.out()).isNotZero();
    // Of a plan that is printed ahead there are golden files of its own; of runs the error will do.
    String out =
        switch (arguments[0]) {
          case "apply" -> "";
          case "materialize" ->
              outcome.out().replaceAll("(?m)^run .*\n|^\\d+ .*?(?=invalid_config: )", "");
          default -> outcome.out();
        };
    return "$ featureduck %s\n%s%s[%d]\n"
        .formatted(String.join(" ", arguments), out, outcome.err(), outcome.code());
  }

  @Test
  void apply_twiceAtOnceAsOneConfigHasIt_isAppliedOnce() throws Exception {
    succeeds("materialize");
    config(SPENDING_CHANGED, COUNTING);

    List<CommandOutcome> outcomes = applyBothAtOnce("config.json", "config.json");

    assertThat(outcomes).extracting(CommandOutcome::code).containsExactly(0, 0);
    assertThat(outcomes)
        .extracting(outcome -> outcome.out().lines().toList().getLast())
        .containsExactlyInAnyOrder(
            "spending: change applied, dropped most", "spending: someone else has applied it");
    assertThat(query("SELECT action FROM featureduck_history WHERE view = 'spending' ORDER BY id"))
        .containsExactly("create", "change");
  }

  @Test
  void apply_twiceAtOnceAsTwoConfigsHaveIt_oneIsStaleAndLeavesTheOthers() throws Exception {
    succeeds("materialize");
    configIn("one.json", SPENDING.replace("9000d", "1000d"), COUNTING);
    configIn("two.json", SPENDING.replace("9000d", "2000d"), COUNTING_REMADE);

    List<CommandOutcome> outcomes = applyBothAtOnce("one.json", "two.json");

    assertThat(outcomes).extracting(CommandOutcome::code).containsExactlyInAnyOrder(0, 1);
    int won = outcomes.get(0).code() == 0 ? 0 : 1;
    assertThat(outcomes.get(won).out()).contains("spending: change applied");
    assertThat(outcomes.get(1 - won).out())
        .contains(
            "spending: not applied: view spending is not registered any more as it was when this was planned; last change: change by ")
        .contains("; plan again (stale_plan)");
    assertThat(outcomes.get(1).out()).contains("counting: new_version applied");
    assertThat(
            query(
                "SELECT definition -> 'view' ->> 'ttl' FROM featureduck_views WHERE view = 'spending'"))
        .containsExactly(won == 0 ? "1000d" : "2000d");
  }

  /** Has two applies plan, and only then lets one after the other change anything. */
  private List<CommandOutcome> applyBothAtOnce(String... configs) throws Exception {
    List<StringWriter> outs = List.of(new StringWriter(), new StringWriter());
    List<CompletableFuture<CommandOutcome>> applying = new ArrayList<>();
    OnlineStore store =
        OnlineStore.open(ConfigReader.read(folder.resolve("config.json"), Map.of()).onlineStore());
    try (Registrar held = store.registrar(Duration.ofSeconds(10))) {
      for (int i = 0; i < 2; i++) {
        Path config = folder.resolve(configs[i]);
        StringWriter out = outs.get(i);
        // A machine of few cores has but one thread that is shared.
        applying.add(
            CompletableFuture.supplyAsync(
                () -> CommandOutcome.of(config, out, Optional.empty(), "apply", "--yes"),
                task -> Thread.ofPlatform().start(task)));
      }
      for (StringWriter out : outs) {
        long end = System.nanoTime() + SECONDS.toNanos(30);
        while (!out.toString().contains("\nPlan: ")) {
          assertThat(System.nanoTime()).as("planned").isLessThan(end);
          LockSupport.parkNanos(5_000_000);
        }
      }
    }
    List<CommandOutcome> outcomes = new ArrayList<>();
    for (CompletableFuture<CommandOutcome> apply : applying) {
      outcomes.add(apply.get(60, SECONDS));
    }
    return outcomes;
  }
}
