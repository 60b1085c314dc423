package io.featureduck.store;

import io.featureduck.store.Progress.SourceRead;
import io.featureduck.store.Progress.StageTime;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * Gathers how far a run has come. The run tells it, timers read it: all methods may be called from
 * any thread, and none waits.
 */
public final class RunProgress {
  private static final double NANOS_PER_MILLI = 1e6;

  private final LongSupplier nanos;
  private final Map<RunStage, Long> spent = new EnumMap<>(RunStage.class);
  private final Map<RunStage, Long> rows = new EnumMap<>(RunStage.class);
  private final Map<String, SourceRead> sources = new LinkedHashMap<>();
  // These are told block by block, in the midst of a copy.
  private final AtomicLong computed = new AtomicLong();
  private final AtomicLong bytes = new AtomicLong();
  private RunStage stage = RunStage.WAITING;
  private long since;
  private long peakMemory;
  private int attempts;
  private Optional<String> whyFull = Optional.empty();

  /** Begins in {@link RunStage#WAITING}. */
  public RunProgress() {
    this(System::nanoTime);
  }

  RunProgress(LongSupplier nanos) {
    this.nanos = nanos;
    this.since = nanos.getAsLong();
  }

  /** The run's work begins, for the first time or again. */
  public synchronized void attempt() {
    attempts++;
    whyFull = Optional.empty();
    computed.set(0);
    sources.clear();
    rows.clear();
  }

  /** The run goes on to another stage; the time until now was the last one's. */
  public synchronized void enter(RunStage next) {
    pass();
    stage = next;
  }

  private void pass() {
    long now = nanos.getAsLong();
    spent.merge(stage, now - since, Long::sum);
    since = now;
  }

  /**
   * Everything is read.
   *
   * @param why in words
   */
  public synchronized void full(String why) {
    whyFull = Optional.of(why);
  }

  /** A source was read, or more of it than was told before. */
  public synchronized void read(SourceRead source) {
    sources.put(source.source(), source);
    rows.put(RunStage.READING, sources.values().stream().mapToLong(s -> s.rows().orElse(0L)).sum());
  }

  /**
   * @param count all rows that were computed so far
   */
  public void computed(long count) {
    computed.set(count);
  }

  /** So many bytes more went to the store. */
  public void sent(long more) {
    bytes.addAndGet(more);
  }

  /**
   * @param count rows of the online table that are new, changed or gone
   */
  public synchronized void written(long count) {
    rows.put(RunStage.WRITING, count);
  }

  /** The engine was seen to hold so many bytes. */
  public synchronized void memory(long held) {
    peakMemory = Math.max(peakMemory, held);
  }

  /** Returns the rows that were computed so far. */
  public long rowsComputed() {
    return computed.get();
  }

  /** Returns the rows that were read so far, of all sources. */
  public synchronized long rowsRead() {
    return rows.getOrDefault(RunStage.READING, 0L);
  }

  /** Returns how far it has come until now. */
  public synchronized Progress now() {
    pass();
    rows.put(RunStage.COPYING, computed.get());
    List<StageTime> stages = new ArrayList<>();
    spent.forEach((passed, time) ->
        stages.add(new StageTime(passed.id(), seconds(time), rows.getOrDefault(passed, 0L))));
    return new Progress(
        stage.id(),
        stages,
        List.copyOf(sources.values()),
        whyFull,
        computed.get(),
        bytes.get(),
        peakMemory,
        attempts);
  }

  private static double seconds(long nanos) {
    return Math.round(nanos / NANOS_PER_MILLI) / 1_000.0;
  }
}
