package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.error.FeatureException;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.Lookups;
import io.featureduck.lookup.ServedView;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.metrics.ViewMetrics;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The rows of some entities in all views of a feature set: those that the cache does not have are
 * asked for at the same time. Confined to one event loop.
 */
final class FeatureSetLookup {
  private final FeatureSet set;
  private final List<@Nullable Object[]> values;
  private final @Nullable EntityKeyException[][] mistakes;
  private final @Nullable ViewRows[] rows;
  private final Status[][] statuses;
  private int outstanding;

  /** What a view has of an entity, the worst last. */
  enum Status {
    FOUND("found"),
    EXPIRED("expired"),
    NOT_FOUND("not_found"),
    ERROR("error");

    private final String text;

    Status(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }

    Status orWorse(Status other) {
      return compareTo(other) >= 0 ? this : other;
    }
  }

  /**
   * The keys of all entities in a view.
   *
   * @param keys null where an entity has none
   * @param mistakes why it has none; null where it has one
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Keys(@Nullable String[] keys, @Nullable EntityKeyException[] mistakes) {}

  /**
   * @param values of each entity the value of each of the set's join keys
   */
  FeatureSetLookup(FeatureSet set, List<@Nullable Object[]> values) {
    this.set = set;
    this.values = values;
    this.statuses = new Status[set.parts().size()][values.size()];
    this.rows = new ViewRows[statuses.length];
    this.mistakes = new EntityKeyException[statuses.length][];
    List<JoinKey> joinKeys = List.of();
    Keys keys = new Keys(new String[0], new EntityKeyException[0]);
    for (int i = 0; i < rows.length; i++) {
      FeatureSet.Part part = set.parts().get(i);
      ServedView view = part.view();
      if (view == null) {
        continue;
      }
      // Most services have views of the same entity.
      if (!view.definition().joinKeys().equals(joinKeys)) {
        joinKeys = view.definition().joinKeys();
        keys = keys(joinKeys, part.keyPlaces(), values);
      }
      mistakes[i] = keys.mistakes();
      rows[i] = new ViewRows(view, keys.keys());
    }
  }

  private static Keys keys(List<JoinKey> joinKeys, int[] places, List<@Nullable Object[]> values) {
    @Nullable String[] keys = new String[values.size()];
    @Nullable EntityKeyException[] mistakes = new EntityKeyException[values.size()];
    @Nullable Object[] own = new Object[places.length];
    for (int i = 0; i < keys.length; i++) {
      for (int k = 0; k < places.length; k++) {
        own[k] = values.get(i)[places[k]];
      }
      try {
        keys[i] = EntityKey.encode(joinKeys, Arrays.asList(own));
      } catch (EntityKeyException e) {
        mistakes[i] = e;
      }
    }
    return new Keys(keys, mistakes);
  }

  /**
   * Begins.
   *
   * @param metrics where hits and misses of the cache are counted; empty where they were before
   * @param done called once, when all rows are there or have failed; maybe before this returns
   */
  void start(FeatureCache cache, Lookups lookups, Optional<LookupMetrics> metrics, Runnable done) {
    int[] misses = new int[rows.length];
    int hits = 0;
    int missed = 0;
    for (int i = 0; i < misses.length; i++) {
      ViewRows of = rows[i];
      if (of != null) {
        misses[i] = of.takeCached(cache);
        missed += misses[i];
        hits += of.asked() - misses[i];
        outstanding += misses[i] == 0 ? 0 : 1;
      }
    }
    if (metrics.isPresent()) {
      metrics.get().cache(hits, missed);
    }
    if (outstanding == 0) {
      done.run();
      return;
    }
    for (int i = 0; i < misses.length; i++) {
      ViewRows of = rows[i];
      if (of != null && misses[i] > 0) {
        readMissing(of, missed, lookups, () -> arrived(done));
      }
    }
  }

  /** A view that is too busy fails alone. */
  private static void readMissing(ViewRows of, int missed, Lookups lookups, Runnable done) {
    try {
      lookups.admit(of.view(), missed);
    } catch (FeatureException e) {
      of.failMissing(e);
      done.run();
      return;
    }
    of.readMissing(lookups, done);
  }

  private void arrived(Runnable done) {
    outstanding--;
    if (outstanding == 0) {
      done.run();
    }
  }

  /** Tells whether some view is served by another definition by now. */
  boolean isOutdated() {
    for (ViewRows of : rows) {
      if (of != null && of.isOutdated()) {
        return true;
      }
    }
    return false;
  }

  /**
   * Returns a failure where nothing at all could be read though something was asked for: the
   * store's, if it was asked.
   */
  Optional<Throwable> failure() {
    Throwable ofPart = null;
    Throwable ofStore = null;
    for (int part = 0; part < rows.length; part++) {
      for (int entity = 0; entity < values.size(); entity++) {
        Throwable failure = failure(part, entity);
        if (failure == null || failure instanceof EntityKeyException) {
          return Optional.empty();
        }
        if (rows[part] == null) {
          ofPart = failure;
        } else {
          ofStore = failure;
        }
      }
    }
    return Optional.ofNullable(ofStore == null ? ofPart : ofStore);
  }

  /** Returns why a view has no answer about an entity; null where it has one. */
  @Nullable Throwable failure(int part, int entity) {
    ViewRows of = rows[part];
    if (of == null) {
      return set.parts().get(part).failure();
    }
    EntityKeyException mistake = mistakes[part][entity];
    return mistake != null ? mistake : of.failure(entity);
  }

  FeatureSet set() {
    return set;
  }

  /** Returns how many entities were asked for. */
  int size() {
    return values.size();
  }

  /** Returns the value of each of the set's join keys, as it was sent. */
  @Nullable Object[] entity(int entity) {
    return values.get(entity);
  }

  /**
   * Decides, once all rows are there, what each view has of each entity, and counts it.
   *
   * @param nowMicros microseconds since 1970
   */
  void judge(long nowMicros) {
    for (int part = 0; part < statuses.length; part++) {
      ServedView view = set.parts().get(part).view();
      for (int entity = 0; entity < values.size(); entity++) {
        Status status = view == null ? Status.ERROR : status(view, part, entity, nowMicros);
        statuses[part][entity] = status;
        if (view != null) {
          count(view.metrics(), status);
        }
      }
    }
  }

  private Status status(ServedView view, int part, int entity, long nowMicros) {
    if (failure(part, entity) != null) {
      return Status.ERROR;
    }
    FeatureRow row = row(part, entity);
    if (row == FeatureRow.MISSING) {
      return Status.NOT_FOUND;
    }
    return view.isExpired(row, nowMicros) ? Status.EXPIRED : Status.FOUND;
  }

  private static void count(ViewMetrics metrics, Status status) {
    switch (status) {
      case FOUND -> metrics.found();
      case EXPIRED -> metrics.expired();
      case NOT_FOUND -> metrics.notFound();
      case ERROR -> metrics.error();
    }
  }

  /** Returns what a view has of an entity. */
  Status status(int part, int entity) {
    return statuses[part][entity];
  }

  /** Returns the row of an entity that a view has, or {@link FeatureRow#MISSING}. */
  FeatureRow row(int part, int entity) {
    ViewRows of = rows[part];
    return of == null ? FeatureRow.MISSING : of.row(entity);
  }

  boolean isStale(int part, int entity) {
    ViewRows of = rows[part];
    return of != null && of.isStale(entity);
  }
}
