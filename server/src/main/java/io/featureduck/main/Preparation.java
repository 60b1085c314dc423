package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.run.Materializer;
import io.featureduck.run.RunRequest;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The first runs of a process that is about to be ready: a view that fails is told about and left
 * to its schedule, and keeps no other from being served.
 */
final class Preparation {
  private static final Logger LOG = LoggerFactory.getLogger(Preparation.class);

  private final FeatureStore definitions;
  private final OnlineStore store;
  private final Materializer materializer;

  Preparation(FeatureStore definitions, OnlineStore store, Materializer materializer) {
    this.definitions = definitions;
    this.store = store;
    this.materializer = materializer;
  }

  /** Materializes the views that never were, as long as the process is not told to end. */
  void materializeMissing(Shutdown shutdown) {
    Set<String> materialized = materialized();
    materialize(
        definitions.views().stream().filter(view -> !materialized.contains(view.name())).toList(),
        shutdown);
  }

  /** Materializes every view, as long as the process is not told to end. */
  void materializeAll(Shutdown shutdown) {
    materialize(definitions.views(), shutdown);
  }

  private void materialize(List<FeatureView> views, Shutdown shutdown) {
    for (FeatureView view : views) {
      if (shutdown.hasBegun()) {
        return;
      }
      materialize(view, shutdown);
    }
  }

  private Set<String> materialized() {
    return store.liveViews().stream()
        .filter(view -> view.asOf().isPresent())
        .map(LiveView::view)
        .collect(Collectors.toSet());
  }

  private void materialize(FeatureView view, Shutdown shutdown) {
    try {
      Run run = materializer.run(view.name(), RunRequest.now());
      // The run has told the log how it went.
      if (run.status() != Run.Status.SUCCEEDED && !shutdown.hasBegun()) {
        failed(view, run.error().orElse(run.status().id()));
      }
    } catch (FeatureException e) {
      if (e.code() == ErrorCode.RUN_IN_PROGRESS) {
        // Its schedule was quicker; who waits to be ready waits for that run.
        return;
      }
      if (!shutdown.hasBegun()) {
        failed(view, e.getMessage());
      }
    }
  }

  private static void failed(FeatureView view, String why) {
    String next =
        view.batchSchedule()
            .map(schedule -> "it is tried again by its schedule, " + schedule)
            .orElse("it has no schedule: run 'featureduck materialize " + view.name() + "'");
    LOG.error("view {} can't be materialized; {}: {}", view.name(), next, why);
  }
}
