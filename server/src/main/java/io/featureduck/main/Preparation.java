package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.run.Materializer;
import io.featureduck.run.RunRequest;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a process that materializes does before it is ready: it takes its definitions up as far as
 * that is for it to do, and runs what was never run. A view that fails is told about and left to
 * its schedule, and keeps no other from being served.
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

  /**
   * Materializes the views that never were, and those of which a version waits for that, as long as
   * the process is not told to end.
   */
  void materializeMissing(Shutdown shutdown) {
    List<FeatureView> takenUp = takeUp(shutdown);
    Set<String> settled = settled();
    materialize(takenUp.stream().filter(view -> !settled.contains(view.name())).toList(), shutdown);
  }

  /** Materializes every view, as long as the process is not told to end. */
  void materializeAll(Shutdown shutdown) {
    materialize(takeUp(shutdown), shutdown);
  }

  /** Returns the views that may be run. */
  private List<FeatureView> takeUp(Shutdown shutdown) {
    List<FeatureView> takenUp = new ArrayList<>();
    for (FeatureView view : definitions.views()) {
      if (shutdown.hasBegun()) {
        break;
      }
      if (takeUp(view)) {
        takenUp.add(view);
      }
    }
    return takenUp;
  }

  private boolean takeUp(FeatureView view) {
    try {
      materializer.takeUp(view.name());
      return true;
    } catch (FeatureException e) {
      if (e.code() == ErrorCode.INVALID_CONFIG) {
        LOG.error("view {} is left alone: {}", view.name(), e.getMessage());
        return false;
      }
      // Its next run does it; and says so where it can't.
      LOG.warn("view {} is not taken up yet: {}", view.name(), e.getMessage());
      return true;
    }
  }

  private void materialize(List<FeatureView> views, Shutdown shutdown) {
    for (FeatureView view : views) {
      if (shutdown.hasBegun()) {
        return;
      }
      materialize(view, shutdown);
    }
  }

  /** Returns the views that have rows, and none of which a version waits to be computed. */
  private Set<String> settled() {
    return store.registered().stream()
        .filter(view -> view.live().filter(RegisteredVersion::isComputed).isPresent())
        .filter(view -> view.pending().isEmpty())
        .map(RegisteredView::view)
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
