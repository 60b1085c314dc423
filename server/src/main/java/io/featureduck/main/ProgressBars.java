package io.featureduck.main;

import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;
import io.featureduck.run.RunListener;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * A bar on the terminal for each run: rows computed, of as many as the view had before. Where that
 * isn't known, only that it goes on. Heard of by several threads.
 */
final class ProgressBars implements RunListener, AutoCloseable {
  private static final int UPDATE_MILLIS = 200;
  private static final long UNKNOWN = -1;

  private final Map<String, Long> rowsBefore;
  private final Optional<Supplier<ProgressBarConsumer>> consumer;
  private final Map<Long, ProgressBar> bars = new HashMap<>();

  /**
   * @param rowsBefore rows of the views that have some
   * @param consumer where bars are drawn; standard error where empty
   */
  ProgressBars(Map<String, Long> rowsBefore, Optional<Supplier<ProgressBarConsumer>> consumer) {
    this.rowsBefore = Map.copyOf(rowsBefore);
    this.consumer = consumer;
  }

  @Override
  public synchronized void onRun(RunEvent event) {
    switch (event.type()) {
      case STARTED -> show(bars.computeIfAbsent(event.runId(), run -> bar(event)), event);
      case PROGRESSED ->
          Optional.ofNullable(bars.get(event.runId())).ifPresent(bar -> show(bar, event));
      case SUCCEEDED, FAILED, CANCELLED ->
          Optional.ofNullable(bars.remove(event.runId())).ifPresent(bar -> end(bar, event));
    }
  }

  private ProgressBar bar(RunEvent event) {
    ProgressBarBuilder builder =
        ProgressBar.builder()
            .setTaskName(event.view())
            .setInitialMax(rowsBefore.getOrDefault(event.view(), UNKNOWN))
            .setUnit(" rows", 1)
            .setUpdateIntervalMillis(UPDATE_MILLIS)
            .setStyle(ProgressBarStyle.ASCII);
    consumer.ifPresent(drawn -> builder.setConsumer(drawn.get()));
    return builder.build();
  }

  private static void show(ProgressBar bar, RunEvent event) {
    bar.setExtraMessage(event.stage());
    if (bar.getMax() > 0) {
      // There may be more by now than there were.
      bar.maxHint(Math.max(bar.getMax(), event.rowsComputed()));
    }
    bar.stepTo(event.rowsComputed());
  }

  private static void end(ProgressBar bar, RunEvent event) {
    if (event.type() == RunEvent.Type.SUCCEEDED) {
      bar.maxHint(event.rowsComputed());
      bar.stepTo(event.rowsComputed());
    }
    bar.setExtraMessage(event.type().name().toLowerCase(java.util.Locale.ROOT));
    bar.close();
  }

  /** What was written is told by the command's answer. */
  @Override
  public void onChange(ChangeEvent event) {}

  @Override
  public synchronized void close() {
    bars.values().forEach(ProgressBar::close);
    bars.clear();
  }
}
