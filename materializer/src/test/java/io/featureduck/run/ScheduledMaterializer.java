package io.featureduck.run;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.store.OnlineStore;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A process that runs views by their schedules until it is killed. Cron knows no seconds, but a
 * time zone may have some: each view's zone is some seconds further east than the one before, so
 * that views with the schedule {@code * * * * *} take turns.
 *
 * <p>Argument: the config. Prints {@code deployed} once each next tick will be run.
 */
final class ScheduledMaterializer {
  /** Between the ticks of two views. */
  static final int TICK_SECONDS = 5;

  private ScheduledMaterializer() {}

  public static void main(String[] arguments) throws TimeoutException, InterruptedException {
    FeatureStore definitions =
        takingTurns(ConfigReader.read(Path.of(arguments[0]), Map.of("PID", pid())));
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    Vertx vertx = Vertx.vertx();
    try (Materializer materializer = Materializer.open(definitions, store)) {
      String id =
          MaterializerVerticle.deploy(vertx, definitions, store, materializer)
              .await(30, TimeUnit.SECONDS);
      System.out.println("deployed " + id);
      Thread.currentThread().join();
    }
  }

  private static String pid() {
    return Long.toString(ProcessHandle.current().pid());
  }

  private static FeatureStore takingTurns(FeatureStore read) {
    List<FeatureView> views = new ArrayList<>();
    for (FeatureView view : read.views()) {
      views.add(in(ZoneOffset.ofTotalSeconds(TICK_SECONDS * views.size()), view));
    }
    return new FeatureStore(
        read.project(),
        read.server(),
        read.onlineStore(),
        read.materializer(),
        read.entities(),
        read.sources(),
        views,
        read.services());
  }

  private static FeatureView in(ZoneOffset zone, FeatureView view) {
    return new FeatureView(
        view.name(),
        view.entities(),
        view.source(),
        view.joins(),
        view.filters(),
        view.aggregations(),
        view.projections(),
        view.sql(),
        view.ttl(),
        view.batchSchedule(),
        view.fullRefreshSchedule(),
        zone,
        view.freshness(),
        view.storage(),
        view.cacheMaxAge(),
        view.description(),
        view.owner(),
        view.tags(),
        view.json());
  }
}
