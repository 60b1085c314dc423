package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.lookup.ServedView;
import io.featureduck.lookup.ViewCatalog;
import io.featureduck.metrics.LookupMetrics;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Whether requests should come here. One for the process, asked by any thread. */
final class Readiness {
  private final List<String> declared;
  private final ViewCatalog catalog;
  private final LookupMetrics metrics;
  private final Duration staleIfError;
  private volatile boolean stopping;
  private volatile boolean complete;

  /**
   * @param declared the views of the process's config
   * @param staleIfError how long the cache may stand in for a store that is away
   */
  Readiness(
      List<String> declared, ViewCatalog catalog, LookupMetrics metrics, Duration staleIfError) {
    this.declared = List.copyOf(declared);
    this.catalog = catalog;
    this.metrics = metrics;
    this.staleIfError = staleIfError;
  }

  void stopping() {
    stopping = true;
  }

  boolean isReady() {
    return reasonAgainst().isEmpty();
  }

  /**
   * Returns if the store answers, or is not away for too long, and each live view has its table, or
   * had it once: a view that is added later is missing until its first run, and keeps no other from
   * being served.
   *
   * @throws FeatureException STORE_UNAVAILABLE, saying what is missing
   */
  void check() {
    Optional<String> reason = reasonAgainst();
    if (reason.isPresent()) {
      throw new FeatureException(ErrorCode.STORE_UNAVAILABLE, "not ready: " + reason.get());
    }
  }

  private Optional<String> reasonAgainst() {
    if (stopping) {
      return Optional.of("the server is stopping");
    }
    if (!catalog.isLoaded()) {
      return Optional.of("the online store has not answered yet");
    }
    if (metrics.storeSilence().compareTo(staleIfError) > 0) {
      return Optional.of("the online store is away");
    }
    if (complete) {
      return Optional.empty();
    }
    List<String> never = new ArrayList<>();
    for (ServedView view : catalog.views()) {
      if (view.asOf().isEmpty()) {
        never.add(view.name());
      }
    }
    if (!never.isEmpty()) {
      return Optional.of("never materialized: " + String.join(", ", never));
    }
    // Others may still be about to be registered, as this process starts.
    complete = declared.stream().allMatch(catalog::serves);
    return Optional.empty();
  }
}
