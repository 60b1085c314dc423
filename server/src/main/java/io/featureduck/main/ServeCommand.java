package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

@Command(
    name = "serve",
    description = "Serves the views over HTTP, and materializes them by their schedules.",
    mixinStandardHelpOptions = true)
final class ServeCommand implements Callable<Integer> {
  private static final long READY_CHECK_MILLIS = 100;
  // A view that fails may do so for days; asking whether it still does is a query.

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();

  @Option(
      names = "--role",
      paramLabel = "all|serve|materialize",
      converter = RoleReader.class,
      description =
          "What this process does (default: all). One that materializes answers probes and metrics, too.")
  private Role role = Role.ALL;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      converter = NumberReader.Port.class,
      description = "In place of the config's; 0: a free one.")
  private int port = -1;

  ServeCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws InterruptedException {
    FeatureStore definitions = withPort(config.read(), port);
    Shutdown shutdown = Shutdown.onSignal();
    try {
      OnlineStore store = OnlineStore.open(definitions.onlineStore());
      store.migrate();
      Materializer materializer = shutdown.add(Materializer.open(definitions, store));
      Service service =
          shutdown.add(
              Service.start(
                  definitions,
                  store,
                  role == Role.SERVE ? Optional.empty() : Optional.of(materializer),
                  // Who only materializes has a port, too, for probes, metrics and people.
                  role == Role.MATERIALIZE ? 1 : Runtime.getRuntime().availableProcessors()));
      Preparation preparation = new Preparation(definitions, store, materializer);
      if (role != Role.SERVE) {
        preparation.materializeMissing(shutdown);
      }
      boolean ignored = announceReady(console, service, shutdown);
      shutdown.awaitSignal();
      throw new AssertionError("a process that was told to end goes on");
    } finally {
      shutdown.close();
    }
  }

  /** What a process does. */
  private enum Role {
    ALL,
    SERVE,
    MATERIALIZE
  }

  static FeatureStore withPort(FeatureStore definitions, int port) {
    return port < 0
        ? definitions
        : Service.listeningOn(definitions, definitions.server().host(), port);
  }

  /**
   * Prints the line that scripts wait for, once each view has a table and is served; false where
   * the process is told to end before.
   */
  static boolean announceReady(Console console, Service service, Shutdown shutdown)
      throws InterruptedException {
    while (!shutdown.hasBegun()) {
      if (service.isReady()) {
        console.out().println("ready " + service.address());
        return true;
      }
      if (shutdown.awaitBegin(READY_CHECK_MILLIS, TimeUnit.MILLISECONDS)) {
        return false;
      }
    }
    return false;
  }

  private static final class RoleReader implements ITypeConverter<Role> {
    @Override
    public Role convert(String value) {
      for (Role role : Role.values()) {
        if (role.name().toLowerCase(Locale.ROOT).equals(value)) {
          return role;
        }
      }
      throw new TypeConversionException("'%s' is none of all, serve, materialize".formatted(value));
    }
  }
}
