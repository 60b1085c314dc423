package io.featureduck.run;

import io.featureduck.error.FeatureException;
import io.featureduck.event.RowsRemoved;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Purge;
import io.featureduck.store.Retention;
import io.featureduck.store.ViewStatus;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after rows between runs: ends erasures that were left half done, and purges rows whose
 * event is older than twice the view's ttl, a page at a time. Blocking; called by one thread at a
 * time.
 */
final class Upkeep implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Upkeep.class);

  /** Who erases is quicker than this, or is gone. */
  private static final Duration ERASURE_AGE = Duration.ofSeconds(2);

  private final OnlineStore store;
  private final InstantSource clock;
  private final Consumer<RowsRemoved> listener;
  private final Map<String, Purge> purges = new HashMap<>();
  private final Set<String> givingWay = new HashSet<>();

  /**
   * @param listener hears of rows that this removed
   */
  Upkeep(OnlineStore store, InstantSource clock, Consumer<RowsRemoved> listener) {
    this.store = store;
    this.clock = clock;
    this.listener = listener;
  }

  /**
   * Ends erasures whose process did not come so far, and begins purges where there is something to
   * purge.
   *
   * @param statuses of the live views
   */
  void look(List<ViewStatus> statuses) {
    for (String view : store.unfinishedErasures(ERASURE_AGE)) {
      try {
        tell(RowsRemoved.Type.ERASED, view, store.finishErasures(view));
      } catch (FeatureException e) {
        LOG.warn("view {}: an erasure that was left half done can't be ended", view, e);
      }
    }
    List<LiveView> live = statuses.stream().map(ViewStatus::view).toList();
    // Of a view that has another version or ttl by now, it begins anew.
    for (Map.Entry<String, Purge> purge : Map.copyOf(purges).entrySet()) {
      if (live.stream().noneMatch(purge.getValue()::isOf)) {
        end(purge.getKey());
      }
    }
    Instant now = clock.instant();
    for (ViewStatus status : statuses) {
      LiveView view = status.view();
      view.ttl()
          .filter(ttl -> isDue(status, ttl, now))
          .ifPresent(ttl -> begin(view, Retention.oldest(ttl, now)));
    }
  }

  private static boolean isDue(ViewStatus status, Duration ttl, Instant now) {
    return status.asOf().isPresent()
        && status.eventMin().filter(event -> Retention.isPurgeDue(ttl, event, now)).isPresent();
  }

  private void begin(LiveView view, Instant oldest) {
    if (!purges.containsKey(view.view())) {
      Purge ignored = purges.put(view.view(), store.purge(view, oldest));
    }
  }

  /**
   * Goes on with each purge by a page.
   *
   * @param busy views that a schedule is just running; theirs wait
   * @return how long to wait before the next pages; zero where nothing is left to do
   */
  Duration purge(Set<String> busy) {
    givingWay.clear();
    boolean deleted = false;
    for (Map.Entry<String, Purge> purge : Map.copyOf(purges).entrySet()) {
      if (busy.contains(purge.getKey())) {
        boolean ignored = givingWay.add(purge.getKey());
        // The run may take its time.
        purge.getValue().close();
      } else {
        deleted |= page(purge.getKey(), purge.getValue());
      }
    }
    if (purges.isEmpty()) {
      return Duration.ZERO;
    }
    if (givingWay.containsAll(purges.keySet())) {
      return Duration.ofSeconds(1);
    }
    // Half of the time, the store is left alone.
    return deleted ? Duration.ofMillis(100) : Duration.ofMillis(10);
  }

  /** Returns whether it deleted rows. */
  private boolean page(String view, Purge purge) {
    Purge.Page page;
    try {
      page = purge.next();
    } catch (FeatureException e) {
      LOG.warn("view {}: its rows are purged later", view, e);
      end(view);
      return false;
    }
    tell(RowsRemoved.Type.PURGED, view, page.rows());
    switch (page.outcome()) {
      case MORE -> {}
      case GIVES_WAY -> givingWay.add(view);
      case DONE, OUTDATED -> end(view);
    }
    return page.rows() > 0;
  }

  private void end(String view) {
    Optional.ofNullable(purges.remove(view)).ifPresent(Purge::close);
  }

  /** Ends what it is about; the next look begins it anew. */
  @Override
  public void close() {
    purges.values().forEach(Purge::close);
    purges.clear();
  }

  private void tell(RowsRemoved.Type type, String view, long rows) {
    if (rows > 0) {
      LOG.info("view {}: {} rows {}", view, rows, type);
      listener.accept(new RowsRemoved(type, view, rows, clock.instant()));
    }
  }
}
