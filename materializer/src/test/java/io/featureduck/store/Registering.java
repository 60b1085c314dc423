package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.JoinKey;
import io.featureduck.plan.Feature;
import io.featureduck.registry.ChangePlan;
import io.featureduck.registry.HistoryDetail;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewChange;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.store.Registrar.Applied;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A store whose view {@code v} is registered, changed and run by hand. */
abstract class Registering {
  private static final Instant AS_OF = Instant.parse("2026-01-01T00:00:00Z");
  static final Duration AT_ONCE = Duration.ZERO;

  @TempDir Path spill = Path.of("");

  final TestStore.Form form;
  final TestStore database;
  final OnlineStore store;

  Registering(TestStore.Form form) throws Exception {
    this.form = form;
    this.database = form.create();
    this.store = OnlineStore.open(database.settings());
  }

  @BeforeEach
  void migrate() {
    store.migrate();
  }

  /** Returns a definition of view {@code v} whose INT64 features are each the sum of a column. */
  ViewDefinition view(String ttl, String... features) {
    String aggregations =
        Stream.of(features)
            .map(name -> name.split("=", -1))
            .map(parts ->
                "{\"function\":\"sum\",\"column\":\"%s\",\"alias\":\"%s\"}"
                    .formatted(parts[parts.length - 1], parts[0]))
            .collect(Collectors.joining(","));
    return new ViewDefinition(
        "v",
        List.of(new JoinKey("id", Primitive.INT64)),
        Stream.of(features)
            .map(name -> new Feature(name.split("=", -1)[0], Primitive.INT64))
            .toList(),
        "{\"name\":\"v\",\"ttl\":\"%s\",\"storage\":\"%s\",\"aggregations\":[%s]}"
            .formatted(ttl, form.storage().id(), aggregations));
  }

  List<ViewChange> planned(ViewDefinition wanted) {
    return ChangePlan.changes(Optional.of(wanted), store.registered("v"), false);
  }

  Applied apply(ViewChange change) {
    try (Registrar registrar = store.registrar(AT_ONCE)) {
      return registrar.apply(change, "ada");
    }
  }

  void finishRemovals() {
    try (Registrar registrar = store.registrar(AT_ONCE)) {
      List<String> ignored = registrar.finishRemovals();
    }
  }

  void applied(ViewDefinition wanted) {
    assertThat(apply(planned(wanted).getFirst())).isEqualTo(Applied.APPLIED);
  }

  /**
   * Computes the pending version, or else the live one: a row per key, each feature {@code value}.
   */
  RunCommit.Written run(long value, String... keys) {
    RegisteredView registered = store.registered("v");
    return run(registered.pending().or(registered::live).orElseThrow(), value, () -> {}, keys);
  }

  /**
   * @param meanwhile happens while the run computes
   */
  RunCommit.Written run(RegisteredVersion version, long value, Runnable meanwhile, String... keys) {
    LiveView live = LiveView.of(version);
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      long runId =
          lock.start(new RunStart(live.version(), Run.Kind.FULL, "test", Optional.empty(), "there"))
              .orElseThrow();
      RunCommit commit =
          new RunCommit(
              runId,
              live,
              live.features(),
              Run.Kind.FULL,
              lock.basis(live.version()).map(Basis::runId),
              Optional.empty(),
              1,
              AS_OF,
              List.of(new Watermark("orders", AS_OF, "hash")),
              new RunProgress(),
              spill);
      return lock.write(
          commit,
          StoreWriting.everything(out -> {
            meanwhile.run();
            for (String key : keys) {
              out.startRow(live.features().size() + 2);
              out.putText(RowWriter.utf8(key));
              for (int i = 0; i < live.features().size(); i++) {
                out.putLong(value);
              }
              out.putTimestamp(0);
            }
            return keys.length;
          }),
          new Cancellation());
    }
  }

  void clearUp() {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      lock.clearUp();
    }
  }

  void remove() {
    assertThat(apply(ChangePlan.changes(Optional.empty(), store.registered("v"), false).getFirst()))
        .isEqualTo(Applied.APPLIED);
  }

  List<String> history() {
    return store.history("v").stream()
        .map(entry ->
            "%s %d %s".formatted(entry.action().id(), entry.version(), HistoryDetail.words(entry)))
        .toList();
  }

  List<String> states() {
    return store.registered("v").versions().stream()
        .map(version -> version.version() + " " + version.state().id())
        .toList();
  }

  List<String> columns() throws SQLException {
    return query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = '%s' AND table_name = 'online_v' ORDER BY ordinal_position"
            .formatted(database.settings().schema()));
  }

  /** Returns the features of view {@code v}, by key. */
  List<String> online(String... features) throws SQLException {
    return query(
        "SELECT %s FROM online_v ORDER BY entity_key"
            .formatted(Stream.of(features).map(database::whole).collect(Collectors.joining(", "))));
  }

  /** Returns the rows, with spaces between the columns. */
  List<String> query(String sql) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        List<String> row = new ArrayList<>();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
          row.add(String.valueOf(rows.getString(i)));
        }
        found.add(String.join(" ", row));
      }
      return found;
    }
  }

  /** Has everything that became of a view have become of it some seconds ago. */
  void letTimePass() throws SQLException {
    database.execute("UPDATE featureduck_history SET at = at - INTERVAL '3' SECOND");
  }
}
