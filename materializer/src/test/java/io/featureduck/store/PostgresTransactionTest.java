package io.featureduck.store;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.testing.TestStore;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What Postgres does to its tables when much has changed: a table aside, and a swap. */
@ParameterizedClass
@EnumSource(
    value = TestStore.Form.class,
    names = {"POSTGRES_TYPED", "POSTGRES_JSONB"})
final class PostgresTransactionTest extends StoreWriting {
  PostgresTransactionTest(TestStore.Form form) throws Exception {
    super(form);
  }

  @Test
  void write_muchChanged_replacesTableAndKeepsUpdatedAtOfTheRest() throws Exception {
    RunCommit.Written first = run(scores(5_000));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01'");
    database.execute("GRANT SELECT ON online_v TO PUBLIC");
    List<String> table = database.query("SELECT 'online_v'::regclass::oid");
    Map<String, Double> next = scores(5_000);
    next.replaceAll((key, score) -> score >= 2_000 ? -score : score);

    RunCommit.Written second = run(next);

    assertThat(first.rowsWritten()).isEqualTo(5_000);
    assertThat(second.rowsWritten()).isEqualTo(3_000);
    assertThat(database.query("SELECT 'online_v'::regclass::oid")).isNotEqualTo(table);
    assertThat(database.query("SELECT count(*) FROM online_v WHERE updated_at = '2000-01-01'"))
        .containsExactly("2000");
    assertThat(online()).containsExactlyInAnyOrderEntriesOf(next);
    assertThat(
            database.query(
                "SELECT relacl::text LIKE '%{=r/%' OR relacl::text LIKE '%,=r/%' FROM pg_class WHERE oid = 'online_v'::regclass"))
        .containsExactly("t");
    assertThat(database.tables()).containsExactly("online_v");
    assertThat(spill).isEmptyDirectory();
  }

  @Test
  void write_longReader_delaysTheSwapAndNotOtherReaders() throws Exception {
    RunCommit.Written first = run(scores(5_000));
    Map<String, Double> next = scores(5_000);
    next.replaceAll((key, score) -> -score - 1);
    CountDownLatch computed = new CountDownLatch(1);
    Rows signalling =
        everything(out -> {
          long count = rows(next, EVENT).writeTo(out);
          computed.countDown();
          return count;
        });

    String score =
        "SELECT %s FROM online_v WHERE entity_key = 'k7'".formatted(database.real("score"));
    CompletableFuture<RunCommit.Written> swap;
    long slowest = 0;
    try (Connection reader = database.connect();
        Statement statement = reader.createStatement();
        Connection other = database.connect();
        Statement lookup = other.createStatement()) {
      reader.setAutoCommit(false);
      try (ResultSet held = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(held.next()).isTrue();
      }
      swap = CompletableFuture.supplyAsync(() -> run(signalling));
      assertThat(computed.await(30, SECONDS)).isTrue();
      long end = System.nanoTime() + SECONDS.toNanos(2);
      while (System.nanoTime() < end) {
        long start = System.nanoTime();
        try (ResultSet found = lookup.executeQuery(score)) {
          assertThat(found.next()).isTrue();
          assertThat(found.getDouble(1)).isEqualTo(7);
        }
        slowest = Math.max(slowest, System.nanoTime() - start);
      }
      assertThat(swap).isNotDone();
      reader.commit();
    }

    assertThat(swap.get(30, SECONDS).rowsWritten()).isEqualTo(5_000);
    assertThat(first.rowsWritten()).isEqualTo(5_000);
    assertThat(slowest).isLessThan(SECONDS.toNanos(1));
    assertThat(database.query(score)).containsExactly("-8");
  }

  @Test
  void write_cancelledWhileSwapWaits_endsAtOnce() throws Exception {
    RunCommit.Written first = run(scores(1));
    database.execute("ALTER TABLE online_v DROP COLUMN event_timestamp");
    Cancellation cancellation = new Cancellation();
    try (Connection reader = database.connect();
        Statement statement = reader.createStatement()) {
      reader.setAutoCommit(false);
      try (ResultSet held = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(held.next()).isTrue();
      }
      Rows cancelling =
          everything(out -> {
            long count = rows(scores(1), EVENT).writeTo(out);
            CompletableFuture<Void> ignored =
                CompletableFuture.runAsync(
                    () -> cancellation.cancel(ErrorCode.CANCELLED, "cancelled by the test"));
            return count;
          });
      try (ViewLock lock = store.tryLock("v").orElseThrow()) {
        assertThatThrownBy(() -> lock.write(prepare(lock), cancelling, cancellation))
            .isInstanceOf(FeatureException.class)
            .hasMessage("cancelled by the test");
      }
    }
    assertThat(first.rows()).isEqualTo(1);
  }
}
