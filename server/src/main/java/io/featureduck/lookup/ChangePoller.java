package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.metrics.FreshnessMetrics;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.store.OnlineStore;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.pgclient.PgConnection;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.Tuple;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Learns of commits, this process's and others', by asking the store every 250 ms for the
 * generation of each live view; a record on {@code featureduck.changes} and a notification of the
 * store only make it ask sooner. Keeps the catalog, the cache and the freshness of the views up to
 * date. One for the process.
 */
public final class ChangePoller extends VerticleBase {
  private static final Logger LOG = LoggerFactory.getLogger(ChangePoller.class);
  private static final long POLL_MILLIS = 250;
  // How close polls may follow each other, so that a flood of notifications makes no flood of
  // polls.
  private static final long POLL_MILLIS_MIN = 20;
  // A view whose changes were missed by more than this is read anew as a whole.
  private static final long GENERATIONS_MAX = 100;
  private static final long FRESHNESS_MILLIS = 5_000;
  private static final long POLL_TIMEOUT_MILLIS = 2_000;
  private static final String CHANGES_ADDRESS = "featureduck.changes";

  private final OnlineStoreSettings settings;
  private final OnlineStore store;
  private final ViewCatalog catalog;
  private final FeatureCache cache;
  private final LookupMetrics metrics;
  private final FreshnessMetrics freshness;
  private final String generationsSql;
  private final String changesSql;

  private @Nullable StoreConnection connection;
  private @Nullable ChangeListener listener;
  private @Nullable PgConnection followed;
  private Map<String, String> definitionsKnown = Map.of();
  private boolean polling;
  private boolean pollAgain;
  private boolean pollSoon;
  private long pollBeganNanos = System.nanoTime();
  private boolean readingFreshness;

  public ChangePoller(
      OnlineStoreSettings settings,
      OnlineStore store,
      ViewCatalog catalog,
      FeatureCache cache,
      LookupMetrics metrics,
      FreshnessMetrics freshness) {
    this.settings = settings;
    this.store = store;
    this.catalog = catalog;
    this.cache = cache;
    this.metrics = metrics;
    this.freshness = freshness;
    String schema = '"' + settings.schema().replace("\"", "\"\"") + "\".";
    this.generationsSql =
        """
        SELECT v.view, v.version, v.hash,
          (SELECT coalesce(max(c.generation), 0) FROM %1$sfeatureduck_changes c
           WHERE c.view = v.view AND c.version = v.version)
        FROM %1$sfeatureduck_views v WHERE v.live
        """
            .formatted(schema);
    this.changesSql =
        """
        SELECT c.generation,
          CASE WHEN c.keys IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(c.keys)) END,
          r.upper_bound
        FROM %1$sfeatureduck_changes c LEFT JOIN %1$sfeatureduck_runs r ON r.run_id = c.run_id
        WHERE c.view = $1 AND c.version = $2 AND c.generation > $3 ORDER BY c.generation
        """
            .formatted(schema);
  }

  /**
   * Completes once the store was asked for the first time, whether it answered or not: a server
   * starts while its store is away, and is not ready then.
   */
  @Override
  public Future<Void> start() {
    connection = new StoreConnection(vertx, settings);
    ChangeListener hastening = new ChangeListener(vertx, settings, this::hasten, metrics);
    listener = hastening;
    vertx.eventBus().consumer(CHANGES_ADDRESS).handler(record -> hasten());
    Future<Void> first = pollOnce().eventually(this::readFreshness).otherwiseEmpty();
    hastening.start();
    return first.onComplete(done -> {
      vertx.setPeriodic(POLL_MILLIS, timer -> poll());
      vertx.setPeriodic(
          FRESHNESS_MILLIS,
          timer -> readFreshness().onFailure(e -> LOG.debug("no freshness: {}", e.toString())));
    });
  }

  @Override
  public Future<Void> stop() {
    ChangeListener hastening = listener;
    Future<Void> silent = hastening == null ? Future.succeededFuture() : hastening.close();
    return silent.eventually(() -> connection().close());
  }

  private StoreConnection connection() {
    StoreConnection open = connection;
    if (open == null) {
      throw new IllegalStateException("not started");
    }
    return open;
  }

  /** Polls now, or, where it has just done so, in a moment. */
  private void hasten() {
    long since = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - pollBeganNanos);
    if (since >= POLL_MILLIS_MIN) {
      poll();
    } else if (!pollSoon) {
      pollSoon = true;
      vertx.setTimer(
          POLL_MILLIS_MIN - since,
          timer -> {
            pollSoon = false;
            poll();
          });
    }
  }

  private void poll() {
    if (polling) {
      pollAgain = true;
      return;
    }
    pollOnce().onFailure(e -> LOG.debug("the store was not asked for changes: {}", e.toString()));
  }

  private Future<Void> pollOnce() {
    polling = true;
    pollBeganNanos = System.nanoTime();
    return connection()
        .get()
        .compose(this::pollOn)
        .onComplete(result -> {
          metrics.storeUp(result.succeeded());
          polling = false;
          if (pollAgain) {
            pollAgain = false;
            hasten();
          }
        });
  }

  private Future<Void> pollOn(PgConnection open) {
    return open.preparedQuery(generationsSql)
        .execute()
        .timeout(POLL_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
        .compose(rows -> follow(open, rows))
        .onFailure(cause -> connection().drop(open));
  }

  private Future<Void> follow(PgConnection open, RowSet<Row> rows) {
    Map<String, String> definitions = new HashMap<>();
    for (Row row : rows) {
      definitions.put(row.getString(0), row.getInteger(1) + " " + row.getString(2));
    }
    if (!catalog.isLoaded() || !definitions.equals(definitionsKnown)) {
      return vertx
          .executeBlocking(store::liveViews, false)
          .map(Objects::requireNonNull)
          .compose(views -> {
            catalog.update(views);
            definitionsKnown = definitions;
            return followChanges(open, rows);
          });
    }
    return followChanges(open, rows);
  }

  private Future<Void> followChanges(PgConnection open, RowSet<Row> rows) {
    // What answers now may be a replica that never had the newest commits, under the same numbers.
    boolean anew = !open.equals(followed);
    Map<String, Row> byView = new HashMap<>();
    for (Row row : rows) {
      byView.put(row.getString(0), row);
    }
    List<Future<Void>> changes = new ArrayList<>();
    for (ServedView view : catalog.views()) {
      Row row = byView.get(view.name());
      if (row != null
          && row.getInteger(1) == view.definition().version()
          && (anew || row.getLong(3) != view.generation())) {
        changes.add(followChanges(open, view, row.getLong(3), anew));
      }
    }
    return Future.all(changes).<Void>mapEmpty().onSuccess(nothing -> followed = open);
  }

  private Future<Void> followChanges(
      PgConnection open, ServedView view, long newest, boolean anew) {
    long known = view.generation();
    boolean all = anew || newest < known || newest - known > GENERATIONS_MAX;
    long after = all ? newest - 1 : known;
    return open.preparedQuery(changesSql)
        .execute(Tuple.of(view.name(), view.definition().version(), after))
        .timeout(POLL_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
        .map(changes -> apply(view, after, newest, all, changes));
  }

  /**
   * @param after the generation that {@code changes} follow
   * @param all whether every row may have changed, whatever {@code changes} say
   */
  private @Nullable Void apply(
      ServedView view, long after, long newest, boolean all, RowSet<Row> changes) {
    long expected = after;
    long reached = newest;
    boolean drop = all;
    List<String> keys = new ArrayList<>();
    Optional<Instant> asOf = Optional.empty();
    for (Row change : changes) {
      expected++;
      reached = change.getLong(0);
      String[] changed = change.getArrayOfStrings(1);
      // A generation that was skipped is one whose keys have been pruned.
      drop |= reached != expected || changed == null;
      if (changed != null) {
        keys.addAll(List.of(changed));
      }
      OffsetDateTime upperBound = change.getOffsetDateTime(2);
      asOf = upperBound == null ? asOf : Optional.of(upperBound.toInstant());
    }
    if (drop || reached != expected) {
      view.dropAll();
    } else {
      view.moveEpoch();
      cache.invalidate(view, keys);
    }
    view.reached(reached, asOf);
    return null;
  }

  private Future<Void> readFreshness() {
    if (readingFreshness) {
      return Future.succeededFuture();
    }
    readingFreshness = true;
    return vertx
        .executeBlocking(store::statuses, false)
        .map(Objects::requireNonNull)
        .onSuccess(freshness::update)
        .onComplete(result -> readingFreshness = false)
        .mapEmpty();
  }
}
