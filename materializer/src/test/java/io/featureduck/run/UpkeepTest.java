package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.event.RowsRemoved;
import io.featureduck.plan.Feature;
import io.featureduck.store.Cancellation;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Retention;
import io.featureduck.store.RowWriter;
import io.featureduck.store.Rows;
import io.featureduck.store.Run;
import io.featureduck.store.RunCommit;
import io.featureduck.store.RunProgress;
import io.featureduck.store.RunStart;
import io.featureduck.store.ViewLock;
import io.featureduck.store.ViewStatus;
import io.featureduck.store.Watermark;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When rows are purged that expired long ago, and what becomes of a purge whose view changes. */
final class UpkeepTest {
  private static final Instant EVENT = Instant.parse("2026-11-01T00:00:00Z");
  private static final List<Feature> FEATURES = List.of(new Feature("n", Primitive.INT64));

  @TempDir private Path spill = Path.of("");

  private final TestStore target;
  private final OnlineStore store;
  private final List<RowsRemoved> removed = new ArrayList<>();
  private Instant now = EVENT;

  UpkeepTest() throws Exception {
    target = TestStore.Form.POSTGRES_TYPED.create();
    store = OnlineStore.open(target.settings());
  }

  @BeforeEach
  void migrate() {
    store.migrate();
  }

  private Upkeep upkeep() {
    return new Upkeep(store, () -> now, removed::add);
  }

  private LiveView register(String ttl) {
    return store.register(
        TestDefinitions.view(
            "v", "orders", "{\"storage\":\"typed\",\"ttl\":\"%s\"}".formatted(ttl)),
        FEATURES,
        "test");
  }

  /** Writes rows whose events are a second apart, the first at {@link #EVENT}. */
  private void run(LiveView live, int rows) {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      long run =
          lock.start(new RunStart(1, Run.Kind.FULL, "test", Optional.empty(), "here"))
              .orElseThrow();
      RunCommit commit =
          new RunCommit(
              run,
              live,
              FEATURES,
              Run.Kind.FULL,
              Optional.empty(),
              Optional.empty(),
              rows,
              EVENT,
              List.of(new Watermark("orders", EVENT, "hash")),
              new RunProgress(),
              spill);
      RunCommit.Written written =
          lock.write(
              commit,
              new Rows() {
                @Override
                public Retention retention() {
                  return Retention.everything();
                }

                @Override
                public long writeTo(RowWriter out) throws SQLException {
                  for (int i = 0; i < rows; i++) {
                    out.startRow(3);
                    out.putText("k%05d".formatted(i).getBytes(StandardCharsets.UTF_8));
                    out.putLong(i);
                    out.putTimestamp(EVENT.plusSeconds(i).toEpochMilli() * 1_000);
                  }
                  return rows;
                }
              },
              new Cancellation());
      assertThat(written.rows()).isEqualTo(rows);
    }
  }

  private List<ViewStatus> statuses() {
    return store.statuses();
  }

  private long purged() {
    return removed.stream().mapToLong(RowsRemoved::rows).sum();
  }

  @Test
  void look_ttlRaisedDuringAPurge_endsItAndKeepsTheRows() throws Exception {
    run(register("1h"), 2_500);
    try (Upkeep upkeep = upkeep()) {
      now = EVENT.plus(Duration.ofDays(10));
      upkeep.look(statuses());
      assertThat(upkeep.purge(Set.of())).isPositive();
      assertThat(purged()).isEqualTo(1_000);

      LiveView raised = register("30d");
      upkeep.look(statuses());

      assertThat(raised.ttl()).contains(Duration.ofDays(30));
      assertThat(upkeep.purge(Set.of())).isZero();
      assertThat(target.number("SELECT count(*) FROM online_v")).isEqualTo(1_500);
    }
  }

  @Test
  void look_ttlRaisedAndRowsStillTooOld_goesOnByTheNewOneAtOnce() throws Exception {
    run(register("1h"), 2_500);
    try (Upkeep upkeep = upkeep()) {
      now = EVENT.plus(Duration.ofHours(5));
      upkeep.look(statuses());
      assertThat(upkeep.purge(Set.of())).isPositive();
      assertThat(purged()).isEqualTo(1_000);

      // Rows of the first 1,200 seconds are too old by this one.
      LiveView raised = register("140m");
      upkeep.look(statuses());

      assertThat(raised.ttl()).contains(Duration.ofMinutes(140));
      assertThat(upkeep.purge(Set.of())).isPositive();
      assertThat(purged()).isEqualTo(1_200);
    }
  }

  @Test
  void look_anotherVersionDuringAPurge_purgesThatOne() throws Exception {
    run(register("1h"), 2_500);
    try (Upkeep upkeep = upkeep()) {
      now = EVENT.plus(Duration.ofDays(10));
      upkeep.look(statuses());
      assertThat(upkeep.purge(Set.of())).isPositive();
      target.execute(
          """
          ALTER TABLE online_v RENAME TO online_v__v2;
          UPDATE featureduck_views SET version = 2;
          UPDATE featureduck_watermarks SET version = 2
          """);

      // It finds by itself that its table is gone, and then there is none until the next look.
      assertThat(upkeep.purge(Set.of())).isZero();
      upkeep.look(statuses());
      while (upkeep.purge(Set.of()).isPositive()) {
        assertThat(purged()).isLessThanOrEqualTo(2_500);
      }

      assertThat(purged()).isEqualTo(2_500);
      assertThat(target.number("SELECT count(*) FROM online_v__v2")).isZero();
    }
  }

  /**
   * Else there is a walk over all rows every few seconds, as long as one row after another expires.
   */
  @Test
  void look_oldestEventHasJustExpired_waitsForATenthOfTheTtl() throws Exception {
    run(register("1h"), 2_500);
    try (Upkeep upkeep = upkeep()) {
      now = EVENT.plus(Duration.ofMinutes(126));
      upkeep.look(statuses());
      assertThat(upkeep.purge(Set.of())).isZero();

      now = now.plusSeconds(1);
      upkeep.look(statuses());
      while (upkeep.purge(Set.of()).isPositive()) {
        assertThat(purged()).isLessThanOrEqualTo(361);
      }

      assertThat(purged()).isEqualTo(361);
      assertThat(statuses().getFirst().eventMin()).contains(EVENT.plusSeconds(361));
      now = now.plusSeconds(360);
      upkeep.look(statuses());
      assertThat(upkeep.purge(Set.of())).isZero();
    }
  }

  @Test
  void isPurgeDue_longTtl_waitsForADayAtMost() {
    Duration ttl = Duration.ofDays(90);
    Instant bound = EVENT.plus(Duration.ofDays(180));

    assertThat(Retention.isPurgeDue(ttl, EVENT, bound.plus(Duration.ofDays(1)))).isFalse();
    assertThat(Retention.isPurgeDue(ttl, EVENT, bound.plus(Duration.ofDays(1)).plusMillis(1)))
        .isTrue();
  }
}
