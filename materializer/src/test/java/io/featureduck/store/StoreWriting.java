package io.featureduck.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.featureduck.definition.FeatureView;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A store whose view {@code v} is written by hand, with a feature {@code score}. */
abstract class StoreWriting {
  static final Instant EVENT = Instant.parse("2026-11-23T10:00:00Z");
  static final Instant AS_OF = Instant.parse("2026-11-24T00:00:00Z");
  static final List<Feature> SCORE = List.of(new Feature("score", Primitive.FLOAT64));

  @TempDir Path spill = Path.of("");

  final TestStore.Form form;
  final FeatureView view;
  final TestStore database;
  final OnlineStore store;

  StoreWriting(TestStore.Form form) throws Exception {
    this.form = form;
    this.view =
        TestDefinitions.view("v", "orders", "{\"storage\":\"%s\"}".formatted(form.storage().id()));
    this.database = form.create();
    this.store = OnlineStore.open(database.settings());
  }

  @BeforeEach
  void migrate() {
    store.migrate();
  }

  static Rows rows(Map<String, Double> scores, Instant event) {
    return everything(out -> {
      for (Map.Entry<String, Double> row : scores.entrySet()) {
        out.startRow(3);
        out.putText(RowWriter.utf8(row.getKey()));
        out.putDouble(row.getValue());
        out.putTimestamp(event.toEpochMilli() * 1_000);
      }
      return scores.size();
    });
  }

  /** Returns rows of which none is left out for its age. */
  static Rows everything(GivenRows.Writing writing) {
    return new GivenRows(Retention.everything(), writing);
  }

  /** Rows that a test writes. */
  record GivenRows(Retention retention, Writing writing) implements Rows {
    /** As {@link Rows#writeTo}. */
    interface Writing {
      long to(RowWriter out) throws SQLException;
    }

    @Override
    public long writeTo(RowWriter out) throws SQLException {
      return writing.to(out);
    }
  }

  static Map<String, Double> scores(int count) {
    Map<String, Double> scores = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      scores.put("k" + i, (double) i);
    }
    return scores;
  }

  RunCommit.Written run(Map<String, Double> scores) {
    return run(rows(scores, EVENT));
  }

  RunCommit.Written run(Rows rows) {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      return lock.write(prepare(lock), rows, new Cancellation());
    }
  }

  RunCommit prepare(ViewLock lock) {
    return prepare(lock, Run.Kind.FULL, SCORE);
  }

  RunCommit prepare(ViewLock lock, Run.Kind kind, List<Feature> features) {
    LiveView live = store.register(view, features, "test");
    long run = lock.start(new RunStart(1, kind, "test", Optional.empty(), "here")).orElseThrow();
    return new RunCommit(
        run,
        live,
        features,
        kind,
        lock.basis(1).map(Basis::runId),
        Optional.empty(),
        11,
        AS_OF,
        List.of(new Watermark("orders", AS_OF, "hash")),
        new RunProgress(),
        spill);
  }

  /** Returns what is online, in the order of the keys. */
  Map<String, Double> online() throws SQLException {
    Map<String, Double> found = new LinkedHashMap<>();
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT entity_key, %s FROM online_v ORDER BY entity_key"
                    .formatted(database.real("score")))) {
      while (rows.next()) {
        found.put(new String(rows.getBytes(1), UTF_8), rows.getDouble(2));
      }
    }
    return found;
  }

  List<String> keys(String where) throws SQLException {
    return database.query(
        "SELECT entity_key FROM online_v WHERE " + where + " ORDER BY entity_key");
  }
}
