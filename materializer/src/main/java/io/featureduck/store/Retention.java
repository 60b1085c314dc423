package io.featureduck.store;

import io.featureduck.store.ErasureRecords.Tombstone;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which computed rows a run leaves out for their age, and what it knew of erased entities. Used by
 * the run's thread alone.
 */
public final class Retention {
  /** For how many times its ttl a row stays in the table. */
  private static final int TTLS_KEPT = 2;

  /** How often per ttl a view is purged at the most, for that looks at all of its rows. */
  private static final int PURGES_PER_TTL = 10;

  private static final Duration PURGE_DELAY_MAX = Duration.ofDays(1);

  private final Run.Kind kind;
  private final long oldestMicros;
  private final KnownErasures erasures;
  private final SourceEntities source;
  private long leftOut;

  private Retention(
      Run.Kind kind, long oldestMicros, KnownErasures erasures, SourceEntities source) {
    this.kind = kind;
    this.oldestMicros = oldestMicros;
    this.erasures = erasures;
    this.source = source;
  }

  /** Tells which entities a view's source has. */
  public interface SourceEntities {
    /**
     * Returns those of some entities that the source has any row of, or may have.
     *
     * @param keys of entities that the run computed no row of
     */
    Set<String> among(Set<String> keys);
  }

  /**
   * @param ttl of the view, if rows of it expire
   * @param asOf the instant that the rows are computed for
   */
  public static Retention of(
      Run.Kind kind,
      Optional<Duration> ttl,
      Instant asOf,
      KnownErasures erasures,
      SourceEntities source) {
    long oldest = ttl.map(length -> micros(oldest(length, asOf))).orElse(Long.MIN_VALUE);
    return new Retention(kind, oldest, erasures, source);
  }

  private static long micros(Instant instant) {
    // A ttl may reach back to where microseconds end.
    return instant.getEpochSecond() <= Long.MIN_VALUE / 1_000_000
        ? Long.MIN_VALUE
        : ChronoUnit.MICROS.between(Instant.EPOCH, instant);
  }

  /** Leaves nothing out, and knows of no erasure. */
  public static Retention everything() {
    return new Retention(Run.Kind.FULL, Long.MIN_VALUE, KnownErasures.NONE, keys -> keys);
  }

  /** Returns the oldest event that rows may have at an instant; older ones are purged. */
  public static Instant oldest(Duration ttl, Instant now) {
    return now.minus(ttl.multipliedBy(TTLS_KEPT));
  }

  /**
   * Tells whether the oldest row is past its time by so much that a purge is worth it: a tenth of
   * the ttl, a day at the most.
   *
   * @param eventMin the oldest event
   */
  public static boolean isPurgeDue(Duration ttl, Instant eventMin, Instant now) {
    Duration part = ttl.dividedBy(PURGES_PER_TTL);
    Duration delay = part.compareTo(PURGE_DELAY_MAX) < 0 ? part : PURGE_DELAY_MAX;
    return eventMin.plus(delay).isBefore(oldest(ttl, now));
  }

  /**
   * @param epochMicros the row's event time, in microseconds since 1970
   */
  public boolean isTooOld(long epochMicros) {
    return epochMicros < oldestMicros;
  }

  /**
   * Tells whether a row that is left out has to be told as one that is gone: the rows of an
   * increment are not all that there are.
   */
  public boolean tellsWhatIsGone() {
    return kind == Run.Kind.INCREMENTAL;
  }

  /** Counts a row that is too old, whose entity the source has all the same. */
  public void leaveOut() {
    leftOut++;
  }

  /** Returns how many rows were too old. */
  public long leftOut() {
    return leftOut;
  }

  /**
   * Returns which tombstones may be released, for the source no longer has their entities.
   *
   * @param without those of whose entities the run computed no row
   */
  Set<String> released(List<Tombstone> without) {
    Set<String> released = new HashSet<>();
    for (Tombstone tombstone : without) {
      if (tombstone.erasure() <= erasures.last()) {
        boolean ignored = released.add(tombstone.key());
      }
    }
    if (!released.isEmpty()) {
      boolean ignored = released.removeAll(source.among(Set.copyOf(released)));
    }
    return released;
  }
}
