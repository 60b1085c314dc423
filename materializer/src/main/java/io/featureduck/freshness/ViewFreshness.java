package io.featureduck.freshness;

import io.featureduck.definition.FeatureView;
import io.featureduck.store.ViewStatus;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/**
 * How fresh a view is at an instant.
 *
 * @param eventAge the age of the newest event; empty where the view has no rows
 * @param runAge the age of the last success; empty before the first
 */
public record ViewFreshness(
    String view,
    int version,
    State state,
    Optional<Duration> eventAge,
    Optional<Duration> runAge,
    long rows,
    Optional<Instant> lastSuccess,
    Instant at) {

  /** Whether a view is as fresh as its definition asks for. */
  public enum State {
    FRESH,
    WARN,
    STALE,
    /** No run of the view succeeded yet. */
    NEVER;

    private final String id = name().toLowerCase(Locale.ROOT);

    /** Returns the name in answers and records. */
    public String id() {
      return id;
    }
  }

  /**
   * Judges a view by the age of its newest event, for that is how old its answers are; one without
   * rows by the age of its last success. A view that asks for nothing is fresh.
   */
  public static ViewFreshness of(ViewStatus status, Instant now) {
    Optional<Duration> eventAge = status.eventMax().map(event -> Duration.between(event, now));
    Optional<Duration> runAge = status.lastSuccess().map(end -> Duration.between(end, now));
    State state =
        runAge
            .map(age -> state(status.view().freshness(), eventAge.orElse(age)))
            .orElse(State.NEVER);
    return new ViewFreshness(
        status.view().view(),
        status.view().version(),
        state,
        eventAge,
        runAge,
        status.rows(),
        status.lastSuccess(),
        now);
  }

  private static State state(Optional<FeatureView.Freshness> asked, Duration age) {
    if (asked.isEmpty() || age.compareTo(asked.get().warn()) <= 0) {
      return State.FRESH;
    }
    return age.compareTo(asked.get().error()) <= 0 ? State.WARN : State.STALE;
  }

  /** Returns the record for the event bus; an age that there is none of is null. */
  public JsonObject toJson() {
    return new JsonObject()
        .put("type", "freshness")
        .put("at", at.toString())
        .put("view", view)
        .put("version", version)
        .put("state", state.id())
        .put("event_age_seconds", eventAge.map(ViewFreshness::seconds).orElse(null))
        .put("run_age_seconds", runAge.map(ViewFreshness::seconds).orElse(null))
        .put("rows", rows)
        .put("last_success", lastSuccess.map(Instant::toString).orElse(null));
  }

  private static double seconds(Duration duration) {
    return duration.toMillis() / 1_000.0;
  }
}
