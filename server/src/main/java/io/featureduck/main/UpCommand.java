package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.run.Materializer;
import io.featureduck.sample.SampleStore;
import io.featureduck.store.OnlineStore;
import java.io.IOException;
import java.sql.SQLException;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "up",
    description = "Starts everything, with a database of its own and a shop's real orders in it.",
    mixinStandardHelpOptions = true)
final class UpCommand implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(UpCommand.class);

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();

  @Option(
      names = "--port",
      paramLabel = "PORT",
      converter = NumberReader.Port.class,
      description = "Where to serve (default: the config's, 8080); 0: a free one.")
  private int port = -1;

  @Option(names = "--live", description = "Keep inserting orders, one a second.")
  private boolean live = false;

  UpCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException, SQLException, InterruptedException {
    Shutdown shutdown = Shutdown.onSignal();
    try {
      SampleStore sample =
          shutdown.open(() -> SampleStore.open(config.directory(), LocalDate.now(ZoneOffset.UTC)));
      config.store(sample.environment());
      FeatureStore definitions = ServeCommand.withPort(config.readWith(sample.environment()), port);
      OnlineStore store = OnlineStore.open(definitions.onlineStore());
      store.migrate();
      Materializer materializer = shutdown.add(Materializer.open(definitions, store));
      Service service =
          shutdown.add(
              Service.start(
                  definitions,
                  store,
                  Optional.of(materializer),
                  Runtime.getRuntime().availableProcessors()));
      if (live) {
        insertOrders(sample, shutdown);
      }
      Preparation preparation = new Preparation(definitions, store, materializer);
      preparation.materializeAll(shutdown);
      if (ServeCommand.announceReady(console, service, shutdown)) {
        suggest(service.address());
      }
      shutdown.awaitSignal();
      throw new AssertionError("a process that was told to end goes on");
    } finally {
      shutdown.close();
    }
  }

  private void suggest(String address) {
    console
        .out()
        .print(
            """

            Worth trying:
              curl %1$s/features/user_features/1
              curl %1$s/features/user_activity/batch -H 'content-type: application/json' -d '{"entities": [1, 2, 3], "features": ["orders_90d", "spent_90d"]}'
              curl %1$s/views/user_features/freshness
            """
                .formatted(address));
    console.out().flush();
  }

  private static void insertOrders(SampleStore sample, Shutdown shutdown) {
    ScheduledExecutorService executor =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("live-orders").daemon().factory());
    shutdown.add(executor::shutdownNow);
    Random random = new Random();
    ScheduledFuture<?> ignored =
        executor.scheduleAtFixedRate(() -> insertOrder(sample, random), 1, 1, TimeUnit.SECONDS);
  }

  private static void insertOrder(SampleStore sample, Random random) {
    try {
      LOG.debug("inserted order {}", sample.insertOrder(random));
    } catch (SQLException e) {
      // The next one may succeed; a scheduled task that throws would never run again.
      LOG.warn("no order was inserted", e);
    }
  }
}
