package io.featureduck.store;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What MySQL's columns need, and what its own DDL is in the way of. */
final class MySqlTransactionTest extends StoreWriting {
  MySqlTransactionTest() throws Exception {
    super(TestStore.Form.MYSQL_TYPED);
  }

  private RunCommit.Written run(List<Feature> features, Rows rows) {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      return lock.write(prepare(lock, Run.Kind.FULL, features), rows, new Cancellation());
    }
  }

  @Test
  void write_notFinite_isRefusedWithTheWayOut() throws Exception {
    RunCommit.Written first = run(scores(2));
    for (double value : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      Rows rows =
          everything(out -> {
            out.startRow(3);
            out.putText(RowWriter.utf8("k0"));
            out.putDouble(value);
            return 1;
          });

      assertThatThrownBy(() -> run(rows))
          .isInstanceOf(UnfitValueException.class)
          .hasMessage(
              "%s, which no column of MySQL can keep: give the view \"storage\": \"jsonb\", which can",
              value);
    }
    assertThat(first.rows()).isEqualTo(2);
    assertThat(online()).isEqualTo(scores(2));
  }

  @Test
  void write_valueOfTooManyDigits_isRefusedAndNotCut() throws Exception {
    List<Feature> price = List.of(new Feature("price", new FeatureType.Decimal(4, 2)));

    assertThatThrownBy(() ->
            run(
                price,
                everything(out -> {
                  out.startRow(3);
                  out.putText(RowWriter.utf8("k"));
                  out.putDecimal(new BigDecimal("12345.67"));
                  out.putNull();
                  return 1;
                })))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.VALUE_OUT_OF_RANGE))
        .hasMessageContaining("price");
    assertThat(database.query("SELECT price FROM online_v")).isEmpty();
  }

  @Test
  void write_columnsOfOthersAndOfAnotherType_areLeftAndPutRight() throws Exception {
    RunCommit.Written first = run(scores(3));
    database.execute("ALTER TABLE online_v ADD COLUMN odd INT, MODIFY COLUMN score DECIMAL(9,2)");
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      assertThat(lock.hasTable(store.liveView("v").orElseThrow(), SCORE)).isFalse();
      RunCommit increment = prepare(lock, Run.Kind.INCREMENTAL, SCORE);
      assertThatThrownBy(() -> lock.write(increment, rows(scores(3), EVENT), new Cancellation()))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED));
    }

    RunCommit.Written second = run(scores(4));

    assertThat(first.rowsWritten() + second.rowsWritten()).isEqualTo(4);
    assertThat(online()).isEqualTo(scores(4));
    assertThat(database.query("SHOW COLUMNS FROM online_v LIKE 'odd'")).containsExactly("odd");
  }

  @Test
  void write_featuresThatDifferInCase_areRefusedWithTheWayOut() {
    List<Feature> twins =
        List.of(new Feature("amount", Primitive.INT64), new Feature("Amount", Primitive.INT64));

    assertThatThrownBy(() -> run(twins, everything(out -> 0)))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG))
        .hasMessage(
            "online_v can't have a column of MySQL for each feature, for two features differ in case alone: give the view \"storage\": \"jsonb\"");
  }

  @Test
  void write_newColumnWhileALongReaderHoldsTheTable_waitsAndLetsOthersRead() throws Exception {
    RunCommit.Written first = run(scores(3));
    List<Feature> more = List.of(SCORE.getFirst(), new Feature("n", Primitive.INT64));
    CompletableFuture<RunCommit.Written> second;
    long slowest = 0;
    try (Connection reader = database.connect();
        Statement statement = reader.createStatement();
        Connection other = database.connect();
        Statement lookup = other.createStatement()) {
      reader.setAutoCommit(false);
      try (ResultSet held = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(held.next()).isTrue();
      }
      second =
          CompletableFuture.supplyAsync(() ->
              run(
                  more,
                  everything(out -> {
                    out.startRow(4);
                    out.putText(RowWriter.utf8("k0"));
                    out.putDouble(0);
                    out.putLong(7);
                    out.putTimestamp(0);
                    return 1;
                  })));
      long end = System.nanoTime() + SECONDS.toNanos(4);
      while (System.nanoTime() < end) {
        long start = System.nanoTime();
        try (ResultSet found =
            lookup.executeQuery("SELECT score FROM online_v WHERE entity_key = 'k2'")) {
          assertThat(found.next()).isTrue();
        }
        slowest = Math.max(slowest, System.nanoTime() - start);
      }
      assertThat(second).isNotDone();
      reader.commit();
    }

    assertThat(second.get(30, SECONDS).rows()).isEqualTo(1);
    assertThat(first.rows()).isEqualTo(3);
    assertThat(slowest).isBetween(SECONDS.toNanos(1) / 5, SECONDS.toNanos(1));
    assertThat(database.query("SELECT n FROM online_v")).containsExactly("7");
  }

  @Test
  void migrate_brokenOffInTheMiddle_isCarriedOn() throws Exception {
    LiveView live = store.register(view, SCORE, "test");
    database.execute(
        "UPDATE featureduck_schema_history SET success = 0; DROP TABLE featureduck_pauses");

    store.migrate();

    assertThat(store.pauses()).isEmpty();
    assertThat(store.liveViews()).containsExactly(live);
    database.execute("DROP TABLE featureduck_pauses; DROP TABLE featureduck_schema_history");

    store.migrate();

    assertThat(store.pauses()).isEmpty();
    assertThat(store.liveViews()).containsExactly(live);
  }
}
