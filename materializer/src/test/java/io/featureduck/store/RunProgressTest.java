package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.store.Progress.SourceRead;
import io.featureduck.store.Progress.StageTime;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class RunProgressTest {
  private static final Instant AS_OF = Instant.parse("2026-11-23T10:00:00.123456Z");

  private final AtomicLong nanos = new AtomicLong();
  private final RunProgress progress = new RunProgress(nanos::get);

  private void pass(RunStage stage, long millis) {
    progress.enter(stage);
    assertThat(nanos.addAndGet(millis * 1_000_000)).isPositive();
  }

  @Test
  void now_stagesEnteredAgain_addsUpTheirTime() {
    progress.attempt();
    pass(RunStage.PLANNING, 100);
    pass(RunStage.COMPUTING, 1_500);
    progress.attempt();
    pass(RunStage.PLANNING, 50);
    pass(RunStage.COPYING, 7);
    progress.computed(10);

    assertThat(progress.now().stage()).isEqualTo("copying");
    assertThat(progress.now().attempts()).isEqualTo(2);
    assertThat(progress.now().stages())
        .containsExactly(
            new StageTime("waiting", 0, 0),
            new StageTime("planning", 0.15, 0),
            new StageTime("computing", 1.5, 0),
            new StageTime("copying", 0.007, 10));
  }

  @Test
  void attempt_again_forgetsRowsAndKeepsBytes() {
    progress.attempt();
    progress.read(read("orders", 5));
    progress.read(read("customers", 2));
    progress.computed(4);
    progress.sent(100);

    assertThat(progress.rowsRead()).isEqualTo(7);
    progress.attempt();

    assertThat(progress.rowsRead()).isZero();
    assertThat(progress.rowsComputed()).isZero();
    assertThat(progress.now().sources()).isEmpty();
    assertThat(progress.now().bytesWritten()).isEqualTo(100);
  }

  @Test
  void memory_less_keepsThePeak() {
    progress.memory(10);
    progress.memory(7);

    assertThat(progress.now().peakMemoryBytes()).isEqualTo(10);
  }

  @Test
  void parse_itsOwnJson_isTheSame() {
    progress.attempt();
    pass(RunStage.READING, 20);
    progress.read(read("orders", 5));
    progress.read(
        new SourceRead(
            "files",
            Optional.of(AS_OF.minusSeconds(60)),
            Optional.of(AS_OF),
            Optional.empty(),
            Optional.of(3L)));
    progress.written(2);
    progress.sent(1_000);
    progress.memory(1L << 40);
    Progress now = progress.now();

    assertThat(Progress.parse(now.toJson().toString())).contains(now);
    assertThat(Progress.parse("{}")).isEmpty();
  }

  private static SourceRead read(String source, long rows) {
    return new SourceRead(
        source, Optional.empty(), Optional.of(AS_OF), Optional.of(rows), Optional.empty());
  }
}
