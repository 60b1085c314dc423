package io.featureduck.http;

import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.Lookups;
import io.featureduck.lookup.ServedView;
import io.featureduck.metrics.LookupMetrics;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Looks up what requests ask of several views, and does so again where one of them is served by
 * another definition by the time its rows are there. Confined to one event loop.
 */
final class FeatureSetReader {
  private static final int ATTEMPTS_MAX = 3;

  private final FeatureCache cache;
  private final Lookups lookups;
  private final LookupMetrics metrics;
  private final InstantSource clock;

  /** A request on its way. */
  interface Asked {
    /** Returns what it asks for, by the definitions that are live now. */
    FeatureSet set();

    /** Returns of each entity the value of each of the set's join keys. */
    List<@Nullable Object[]> entities(FeatureSet set);

    /** Answers. */
    void answer(FeatureSetLookup found);

    /** Answers with a failure. */
    void fail(Throwable cause);
  }

  FeatureSetReader(
      FeatureCache cache, Lookups lookups, LookupMetrics metrics, InstantSource clock) {
    this.cache = cache;
    this.lookups = lookups;
    this.metrics = metrics;
    this.clock = clock;
  }

  /**
   * Looks up what a request asks for, and has it answered once.
   *
   * @param startNanos when it came, as {@link System#nanoTime}
   */
  void read(Asked asked, long startNanos) {
    attempt(asked, startNanos, 1);
  }

  private void attempt(Asked asked, long startNanos, int attempt) {
    guarded(
        asked,
        () -> {
          FeatureSet set = asked.set();
          FeatureSetLookup lookup = new FeatureSetLookup(set, asked.entities(set));
          lookup.start(
              cache,
              lookups,
              attempt == 1 ? Optional.of(metrics) : Optional.empty(),
              () -> {
                if (lookup.isOutdated() && attempt < ATTEMPTS_MAX) {
                  attempt(asked, startNanos, attempt + 1);
                } else {
                  guarded(asked, () -> answer(asked, lookup, startNanos));
                }
              });
        });
  }

  private static void guarded(Asked asked, Runnable step) {
    try {
      step.run();
    } catch (RuntimeException e) {
      // The border of a request, which goes on after its handler has returned.
      asked.fail(e);
    }
  }

  private void answer(Asked asked, FeatureSetLookup lookup, long startNanos) {
    Instant now = clock.instant();
    lookup.judge(now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000);
    asked.answer(lookup);
    long nanos = System.nanoTime() - startNanos;
    for (FeatureSet.Part part : lookup.set().parts()) {
      ServedView view = part.view();
      if (view != null) {
        view.metrics().took(nanos);
      }
    }
  }
}
