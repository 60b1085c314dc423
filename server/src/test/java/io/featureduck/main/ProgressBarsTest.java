package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.event.RunEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import me.tongfei.progressbar.ProgressBarConsumer;
import org.junit.jupiter.api.Test;

final class ProgressBarsTest {
  private final List<String> drawn = new CopyOnWriteArrayList<>();

  private final class Drawing implements ProgressBarConsumer {
    @Override
    public int getMaxRenderedLength() {
      return 100;
    }

    @Override
    public void accept(String bar) {
      boolean ignored = drawn.add(bar);
    }

    @Override
    public void close() {}
  }

  private static RunEvent event(RunEvent.Type type, String stage, long computed) {
    return new RunEvent(
        type,
        7,
        "totals",
        1,
        stage,
        0,
        computed,
        computed,
        0,
        Duration.ZERO,
        Optional.empty(),
        Map.of(),
        Instant.EPOCH);
  }

  @Test
  void onRun_rowsBeforeAreKnown_drawsTheirShareAndTheEnd() {
    try (ProgressBars bars =
        new ProgressBars(Map.of("totals", 1_000L), Optional.of(Drawing::new))) {
      bars.onRun(event(RunEvent.Type.STARTED, "waiting", 0));
      bars.onRun(event(RunEvent.Type.PROGRESSED, "copying", 250));
      bars.onRun(event(RunEvent.Type.SUCCEEDED, "committing", 1_200));
    }

    assertThat(drawn.getLast())
        .contains("totals")
        .contains("100%")
        .contains("1200/1200")
        .contains("succeeded");
  }

  @Test
  void onRun_failedHalfWay_staysThere() {
    try (ProgressBars bars =
        new ProgressBars(Map.of("totals", 1_000L), Optional.of(Drawing::new))) {
      bars.onRun(event(RunEvent.Type.STARTED, "waiting", 0));
      bars.onRun(event(RunEvent.Type.PROGRESSED, "copying", 250));
      bars.onRun(event(RunEvent.Type.FAILED, "copying", 250));
    }

    assertThat(drawn.getLast()).contains("25%").contains("250/1000").contains("failed");
  }

  @Test
  void onRun_nothingIsKnownOfTheView_drawsWhatItIsDoing() {
    try (ProgressBars bars = new ProgressBars(Map.of(), Optional.of(Drawing::new))) {
      bars.onRun(event(RunEvent.Type.STARTED, "waiting", 0));
      bars.onRun(event(RunEvent.Type.PROGRESSED, "copying", 250));
      bars.close();
    }

    assertThat(drawn.getLast()).contains("totals").contains("copying");
  }
}
