package io.featureduck.lookup;

import io.featureduck.metrics.ViewMetrics;
import io.featureduck.store.LiveView;
import java.time.Instant;
import java.util.Optional;

/**
 * A live view as this process serves it: its definition, and the state that each commit moves.
 * Shared between event loops; the state is moved by {@link ChangePoller} alone. Two of these are
 * never equal, so rows that were cached for an older definition are not found for a newer one.
 */
public final class ServedView {
  private final LiveView definition;
  private final ViewJson json;
  private final ViewMetrics metrics;
  private final long maxAgeNanos;
  private final long ttlMicros;

  /* An epoch is the time between two commits as far as this process knows of them. Each lookup notes
   * the epoch when it is sent. The epoch moves first, then entries go; so a row that was read in an
   * older epoch either finds the epoch moved and isn't cached, or is cached before its removal. Where
   * all rows may have changed, nothing is removed: entries of epochs before validSince don't count.
   * They may still be served while the store is away, but for those of epochs before staleSince. */
  private volatile long epoch = 1;
  private volatile long validSince = 1;
  private volatile long staleSince = 1;
  private volatile long generation;
  private volatile Optional<Instant> asOf;
  private volatile byte[] tail;

  public ServedView(LiveView definition, ViewMetrics metrics) {
    this.definition = definition;
    this.metrics = metrics;
    this.json = new ViewJson(definition.view(), definition.version(), definition.features());
    this.maxAgeNanos = definition.cacheMaxAge().toNanos();
    this.ttlMicros = definition.ttl().map(ttl -> ttl.toNanos() / 1_000).orElse(Long.MAX_VALUE);
    this.generation = definition.generation();
    this.asOf = definition.asOf();
    this.tail = ViewJson.tail(asOf);
  }

  public LiveView definition() {
    return definition;
  }

  public String name() {
    return definition.view();
  }

  public ViewJson json() {
    return json;
  }

  public ViewMetrics metrics() {
    return metrics;
  }

  /** Returns the instant the view's rows were computed for; empty before the first run. */
  public Optional<Instant> asOf() {
    return asOf;
  }

  /**
   * Returns the end of each single answer, {@code as_of} and the closing brace; not to be changed.
   */
  public byte[] tail() {
    return tail;
  }

  /** Tells whether a row is too old for the view's ttl. */
  public boolean isExpired(FeatureRow row, long nowMicros) {
    return ttlMicros != Long.MAX_VALUE
        && row.eventMicros() != FeatureRow.NO_EVENT
        && nowMicros - row.eventMicros() > ttlMicros;
  }

  /** Tells whether rows of the view expire, so that a request needs the time of day. */
  public boolean hasTtl() {
    return ttlMicros != Long.MAX_VALUE;
  }

  long maxAgeNanos() {
    return maxAgeNanos;
  }

  long epoch() {
    return epoch;
  }

  long validSince() {
    return validSince;
  }

  long staleSince() {
    return staleSince;
  }

  long generation() {
    return generation;
  }

  /** Begins an epoch after a commit that changed some keys, which the caller then removes. */
  // One thread writes, so reading and writing apart loses nothing.
  @SuppressWarnings("NonAtomicVolatileUpdate")
  void moveEpoch() {
    epoch++;
  }

  /** Begins an epoch after a commit that may have changed every row. */
  void dropAll() {
    moveEpoch();
    validSince = epoch;
  }

  /**
   * Begins an epoch after commits of which nobody knows any more what they changed. An entity may
   * have been erased by one, so what was read before isn't served while the store is away, either.
   */
  void forgetAll() {
    dropAll();
    staleSince = validSince;
  }

  /** Notes which commit the view stands at, once its entries are gone. */
  void reached(long newGeneration, Optional<Instant> newAsOf) {
    generation = newGeneration;
    if (newAsOf.isPresent()) {
      asOf = newAsOf;
      tail = ViewJson.tail(newAsOf);
    }
  }
}
