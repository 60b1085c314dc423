package io.featureduck.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.Test;

class PrometheusSeriesTest {
  // An alert can't fire on a series that isn't there.
  @Test
  void scrape_declaredViewThatNeverRan_hasItsSeries() {
    assertThat(scraping(new LookupMetrics()).scrape())
        .contains(
            "featureduck_view_freshness_seconds{version=\"1\",view=\"users\"} +Inf",
            "featureduck_view_last_success_timestamp_seconds{version=\"1\",view=\"users\"} 0.0",
            "featureduck_view_rows{version=\"1\",view=\"users\"} 0.0",
            "featureduck_runs_total{status=\"failed\",version=\"1\",view=\"users\"} 0.0",
            "featureduck_run_seconds_count{version=\"1\",view=\"users\"} 0",
            "featureduck_store_up 0.0");
  }

  // A store that can't tell of commits is not one that fails to.
  @Test
  void scrape_listening_isThereOnceTheStoreCanTell() {
    LookupMetrics lookups = new LookupMetrics();
    PrometheusMeterRegistry registry = scraping(lookups);
    assertThat(registry.scrape()).doesNotContain("featureduck_store_listening");

    lookups.listening(false);
    assertThat(registry.scrape()).contains("featureduck_store_listening 0.0");
    lookups.listening(true);
    assertThat(registry.scrape()).contains("featureduck_store_listening 1.0");
  }

  private static PrometheusMeterRegistry scraping(LookupMetrics lookups) {
    RunMetrics runs = new RunMetrics();
    runs.declare("users", 1);
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    registry
        .getPrometheusRegistry()
        .register(
            new PrometheusSeries(
                lookups,
                new FreshnessMetrics(List.of("users")),
                runs,
                () -> 0,
                () -> 0,
                InstantSource.fixed(Instant.EPOCH)));
    return registry;
  }
}
