package io.featureduck.lookup;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * Rows that were read lately, unknown entities among them, weighed in bytes. One for the process,
 * shared between event loops. How old an entry may be is the view's to say and decided when it is
 * asked for, so that the same entry can still serve as stale while the store is away.
 */
public final class FeatureCache {
  /** What stands for a row that must be read from the store. */
  public static final FeatureRow UNREAD =
      new FeatureRow(new byte[0], new int[0], FeatureRow.NO_EVENT);

  private static final int ENTRY_BYTES = 160;

  private final Cache<Key, Entry> entries;
  private final long staleNanos;
  private final LongSupplier nanoClock;

  /**
   * @param bytesMax what all entries may weigh together
   * @param staleIfError how old an entry may be that is served while the store is away
   * @param nanoClock as {@link System#nanoTime()}
   */
  public FeatureCache(long bytesMax, Duration staleIfError, LongSupplier nanoClock) {
    this.entries =
        Caffeine.newBuilder().maximumWeight(bytesMax).weigher(FeatureCache::weight).build();
    this.staleNanos = staleIfError.toNanos();
    this.nanoClock = nanoClock;
  }

  private static int weight(Key key, Entry entry) {
    return ENTRY_BYTES + 2 * key.entity.length() + entry.row.weight();
  }

  /** Returns the row if it may be served now, {@link FeatureRow#MISSING} too, else UNREAD. */
  public FeatureRow fresh(ServedView view, String entity) {
    return within(view.maxAgeNanos(), view, entity, view.validSince());
  }

  /** Returns the row if it may be served while the store is away, else UNREAD. */
  FeatureRow stale(ServedView view, String entity) {
    return within(staleNanos, view, entity, view.staleSince());
  }

  private FeatureRow within(long ageNanosMax, ServedView view, String entity, long epochMin) {
    if (view.maxAgeNanos() == 0) {
      return UNREAD;
    }
    Entry entry = entries.getIfPresent(new Key(view, entity));
    if (entry == null
        || entry.epoch < epochMin
        || nanoClock.getAsLong() - entry.readNanos > ageNanosMax) {
      return UNREAD;
    }
    return entry.row;
  }

  /**
   * Keeps a row, unless a commit was heard of since its query was sent.
   *
   * @param epoch the view's when the query was sent
   */
  void put(ServedView view, String entity, FeatureRow row, long epoch) {
    if (view.maxAgeNanos() == 0 || view.epoch() != epoch) {
      return;
    }
    Entry read = new Entry(row, nanoClock.getAsLong(), epoch);
    // Under the entry's lock: invalidation moves the epoch before it comes for the entry.
    Entry ignored =
        entries
            .asMap()
            .compute(new Key(view, entity), (key, before) -> view.epoch() == epoch ? read : before);
  }

  /** Removes the entries of some keys; the epoch has moved already. */
  void invalidate(ServedView view, List<String> entities) {
    for (String entity : entities) {
      entries.invalidate(new Key(view, entity));
    }
  }

  /** Returns how many entries there are, about. */
  public long size() {
    return entries.estimatedSize();
  }

  /** Returns what the entries weigh together. */
  public long bytes() {
    return entries
        .policy()
        .eviction()
        .map(eviction -> eviction.weightedSize())
        .orElse(OptionalLong.empty())
        .orElse(0);
  }

  private record Key(ServedView view, String entity) {}

  private record Entry(FeatureRow row, long readNanos, long epoch) {}
}
