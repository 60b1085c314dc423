package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.event.Addresses;
import io.featureduck.metrics.FreshnessMetrics;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.store.OnlineStore;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.VerticleBase;
import io.vertx.sqlclient.SqlConnection;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Learns of commits, this process's and others', by asking the store every 250 ms for the
 * generation of each live view; a record on {@code featureduck.changes} and a notification of a
 * store that sends them only make it ask sooner. Keeps the catalog, the cache and the freshness of
 * the views up to date. One for the process.
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

  private final OnlineStoreSettings settings;
  private final OnlineStore store;
  private final ViewCatalog catalog;
  private final FeatureCache cache;
  private final LookupMetrics metrics;
  private final FreshnessMetrics freshness;
  private final StoreChanges changes;

  private @Nullable StoreConnection connection;
  private @Nullable ChangeListener listener;
  private @Nullable SqlConnection followed;
  private Map<String, String> definitionsKnown = Map.of();
  private final List<Promise<Void>> awaited = new ArrayList<>();
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
    this.changes = new StoreChanges(settings);
  }

  /**
   * Completes once the store was asked for the first time, whether it answered or not: a server
   * starts while its store is away, and is not ready then.
   */
  @Override
  public Future<Void> start() {
    connection = new StoreConnection(vertx, settings);
    vertx.eventBus().consumer(Addresses.CHANGES).handler(record -> hasten());
    Future<Void> first = pollOnce().eventually(this::readFreshness).otherwiseEmpty();
    if (settings.type() == OnlineStoreSettings.Type.POSTGRES) {
      ChangeListener hastening = new ChangeListener(vertx, settings, this::hasten, metrics);
      listener = hastening;
      hastening.start();
    }
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

  /**
   * Asks the store at once, for those who have reason to think that something was changed. May be
   * called from any thread.
   *
   * @return completes on this verticle's event loop, once a poll is done that began after the call;
   *     fails if the store gave no answer
   */
  public Future<Void> reread() {
    Promise<Void> done = Promise.promise();
    context.runOnContext(nothing -> {
      boolean ignored = awaited.add(done);
      poll();
    });
    return done.future();
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
    List<Promise<Void>> waiting = List.copyOf(awaited);
    awaited.clear();
    return connection()
        .get()
        .compose(this::pollOn)
        .onComplete(result -> {
          metrics.storeUp(result.succeeded());
          polling = false;
          waiting.forEach(done -> done.handle(result));
          if (pollAgain) {
            pollAgain = false;
            hasten();
          }
        });
  }

  private Future<Void> pollOn(SqlConnection open) {
    return changes
        .standings(open)
        .timeout(POLL_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
        .compose(standings -> follow(open, standings))
        .onFailure(cause -> connection().drop(open));
  }

  private Future<Void> follow(SqlConnection open, List<StoreChanges.Standing> standings) {
    Map<String, String> definitions = new HashMap<>();
    for (StoreChanges.Standing standing : standings) {
      definitions.put(standing.view(), standing.version() + " " + standing.hash());
    }
    if (!catalog.isLoaded() || !definitions.equals(definitionsKnown)) {
      return vertx
          .executeBlocking(store::liveViews, false)
          .map(Objects::requireNonNull)
          .compose(views -> {
            catalog.update(views);
            definitionsKnown = definitions;
            return followChanges(open, standings);
          });
    }
    return followChanges(open, standings);
  }

  private Future<Void> followChanges(SqlConnection open, List<StoreChanges.Standing> standings) {
    // What answers now may be a replica that never had the newest commits, under the same numbers.
    boolean anew = !open.equals(followed);
    Map<String, StoreChanges.Standing> byView = new HashMap<>();
    for (StoreChanges.Standing standing : standings) {
      byView.put(standing.view(), standing);
    }
    List<Future<Void>> following = new ArrayList<>();
    for (ServedView view : catalog.views()) {
      StoreChanges.Standing standing = byView.get(view.name());
      if (standing != null
          && standing.version() == view.definition().version()
          && (anew || isBehind(view, standing))) {
        following.add(followChanges(open, view, standing, anew));
      }
    }
    return Future.all(following).<Void>mapEmpty().onSuccess(nothing -> followed = open);
  }

  private static boolean isBehind(ServedView view, StoreChanges.Standing standing) {
    // A commit that was read with those before it came later than its standing.
    return standing.generation() != view.generation()
        || (standing.asOf().isPresent() && !standing.asOf().equals(view.asOf()));
  }

  private Future<Void> followChanges(
      SqlConnection open, ServedView view, StoreChanges.Standing standing, boolean anew) {
    long known = view.generation();
    long newest = standing.generation();
    boolean readsOn = newest >= known && newest - known <= GENERATIONS_MAX;
    long after = readsOn ? known : newest - 1;
    return changes
        .after(open, view.name(), view.definition().version(), after)
        .timeout(POLL_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
        .map(commits -> apply(view, after, standing, anew, !readsOn, commits));
  }

  /**
   * @param after the generation that {@code commits} follow
   * @param anew whether every row may have changed, whatever {@code commits} say
   * @param skipped whether there were commits between what is known and {@code commits}
   */
  private @Nullable Void apply(
      ServedView view,
      long after,
      StoreChanges.Standing standing,
      boolean anew,
      boolean skipped,
      List<StoreChanges.Change> commits) {
    long expected = after;
    long reached = standing.generation();
    boolean drop = anew;
    boolean forget = skipped;
    List<String> keys = new ArrayList<>();
    for (StoreChanges.Change commit : commits) {
      expected++;
      reached = commit.generation();
      // A generation that is missing is one whose keys have been pruned.
      forget |= reached != expected;
      drop |= commit.keys().isEmpty();
      keys.addAll(commit.keys().orElse(List.of()));
    }
    if (forget || reached != expected) {
      view.forgetAll();
    } else if (drop) {
      view.dropAll();
    } else {
      view.moveEpoch();
    }
    // Also where no entry counts any more: one of an erased entity isn't to be served as stale.
    cache.invalidate(view, keys);
    view.reached(reached, standing.asOf());
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
