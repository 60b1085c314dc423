package io.featureduck.http;

import io.featureduck.error.FeatureException;
import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.Lookups;
import io.featureduck.lookup.OutdatedViewException;
import io.featureduck.lookup.Reading;
import io.featureduck.lookup.ServedView;
import io.vertx.core.AsyncResult;
import org.jspecify.annotations.Nullable;

/**
 * The rows of one view that a request asks for, on their way: from the cache at once, else from the
 * store. Confined to one event loop.
 */
final class ViewRows {
  private final ServedView view;
  private final @Nullable String[] keys;
  private final FeatureRow[] rows;
  private final boolean[] stale;
  private final @Nullable Throwable[] failures;
  private int outstanding;
  private int failed;
  private boolean outdated;

  /**
   * @param keys the canonical key of each entity; null where it can't be one of the view's. Taken
   *     over.
   */
  ViewRows(ServedView view, @Nullable String[] keys) {
    this.view = view;
    this.keys = keys;
    this.rows = new FeatureRow[keys.length];
    this.stale = new boolean[keys.length];
    this.failures = new Throwable[keys.length];
  }

  ServedView view() {
    return view;
  }

  /** Returns an entity's row, {@link FeatureRow#MISSING} too, once all are there. */
  FeatureRow row(int entity) {
    return rows[entity];
  }

  /** Tells whether an entity's row is one that the cache had while the store is away. */
  boolean isStale(int entity) {
    return stale[entity];
  }

  /** Returns why an entity's row could not be read; null where it could. */
  @Nullable Throwable failure(int entity) {
    return failures[entity];
  }

  /** Returns a failure where no entity at all could be read; null where one could. */
  @Nullable Throwable failureOfAll() {
    return failed > 0 && failed == rows.length ? failures[0] : null;
  }

  /** Tells whether the view is served by another definition by now. */
  boolean isOutdated() {
    return outdated;
  }

  /** Takes what the cache has, and returns how many rows it does not have. */
  int takeCached(FeatureCache cache) {
    int misses = 0;
    for (int i = 0; i < rows.length; i++) {
      String key = keys[i];
      rows[i] = key == null ? FeatureRow.MISSING : cache.fresh(view, key);
      if (rows[i] == FeatureCache.UNREAD) {
        misses++;
      }
    }
    outstanding = misses;
    return misses;
  }

  /** Returns how many entities have a key. */
  int asked() {
    int asked = 0;
    for (String key : keys) {
      asked += key == null ? 0 : 1;
    }
    return asked;
  }

  /**
   * Reads what the cache did not have, which is something.
   *
   * @param done called once, when all rows are there or have failed
   */
  void readMissing(Lookups lookups, Runnable done) {
    for (int i = 0; i < rows.length; i++) {
      String key = keys[i];
      if (key != null && rows[i] == FeatureCache.UNREAD) {
        int entity = i;
        lookups.read(view, key).onComplete(result -> received(entity, result, done));
      }
    }
  }

  /** Has what the cache did not have fail. */
  void failMissing(FeatureException cause) {
    for (int i = 0; i < rows.length; i++) {
      if (rows[i] == FeatureCache.UNREAD) {
        rows[i] = FeatureRow.MISSING;
        failures[i] = cause;
        failed++;
      }
    }
  }

  private void received(int entity, AsyncResult<Reading> result, Runnable done) {
    if (result.succeeded()) {
      rows[entity] = result.result().row();
      stale[entity] = result.result().stale();
    } else {
      rows[entity] = FeatureRow.MISSING;
      failed++;
      outdated |= result.cause() instanceof OutdatedViewException;
      failures[entity] = OutdatedViewException.reason(result.cause());
    }
    outstanding--;
    if (outstanding == 0) {
      done.run();
    }
  }
}
