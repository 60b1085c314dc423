package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Secret;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.migrate.DeclaredView;
import io.featureduck.migrate.MigrationProgress;
import io.featureduck.migrate.MigrationReport;
import io.featureduck.migrate.MigrationRequest;
import io.featureduck.migrate.OldColumns;
import io.featureduck.migrate.Proposal;
import io.featureduck.migrate.SchemaFile;
import io.featureduck.migrate.SchemaRequest;
import io.featureduck.migrate.SingleTableMigration;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Operator;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Exit code 1 also where the table can't be migrated as it is, 2 where its schema was inferred and
 * is not accepted.
 */
@Command(
    name = "migrate-single-table",
    description =
        "Takes a store that holds all views in one table over to a table per view, in Postgres.",
    footer =
        "Exit codes: 0; 1 failed, or the table can't be migrated as it is; 2 used wrongly, or the"
            + " schema was inferred and only shown.",
    mixinStandardHelpOptions = true)
final class MigrateSingleTableCommand implements Callable<Integer> {
  private static final String PASSWORD = "FEATUREDUCK_FROM_PASSWORD";

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Option(
      names = "--from",
      paramLabel = "URL",
      description =
          "The old table's database, postgresql://user@host:port/database (default: the online"
              + " store's); its password is in FEATUREDUCK_FROM_PASSWORD or --password-file.")
  private Optional<String> from = Optional.empty();

  @Option(
      names = "--password-file",
      paramLabel = "FILE",
      description = "Holds the password for --from.")
  private Optional<Path> passwordFile = Optional.empty();

  @Option(
      names = "--schema",
      paramLabel = "SCHEMA",
      description = "The old table's schema (default: the online store's; with --from, public).")
  private Optional<String> schema = Optional.empty();

  @Option(
      names = "--table",
      paramLabel = "TABLE",
      description = "The old table (default: online_features).")
  private String table = "online_features";

  @Option(
      names = "--columns",
      paramLabel = "ROLE=NAME",
      split = ",",
      description =
          "What feature_view, entity_key, features, event_timestamp and updated_at are called"
              + " there, where otherwise.")
  private Map<String, String> columns = new HashMap<>();

  @Option(
      names = "--schema-file",
      paramLabel = "FILE",
      description =
          "Views, join keys, features and their types, as far as they are not to be found from the"
              + " config or the rows; what this command prints as JSON will do.")
  private Optional<Path> schemaFile = Optional.empty();

  @Option(
      names = "--key-separator",
      paramLabel = "TEXT",
      description = "What stands between the values of a composite entity key (default: |).")
  private Optional<String> keySeparator = Optional.empty();

  @Option(
      names = "--accept-inferred",
      description = "Begin although the schema is inferred from the rows; without it, show that.")
  private boolean acceptInferred = false;

  @Option(
      names = "--batch-rows",
      paramLabel = "N",
      converter = NumberReader.BatchRows.class,
      description = "How many rows are copied in one transaction (default: 10000).")
  private int batchRows = 10_000;

  @ArgGroup private End end = new End();

  private static final class End {
    @Option(
        names = "--finish",
        description = "Make the views live and rename the old table away, when all is copied.")
    private boolean finish = false;

    @Option(names = "--abort", description = "Undo all of a migration that was not finished.")
    private boolean abort = false;
  }

  MigrateSingleTableCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException {
    FeatureStore definitions = config.read();
    SchemaFile file =
        schemaFile.isEmpty()
            ? SchemaFile.none()
            : SchemaFile.parse(Files.readString(schemaFile.get()));
    if (keySeparator.filter(String::isEmpty).isPresent()) {
      throw new FeatureException(ErrorCode.INVALID_CONFIG, "--key-separator is empty");
    }
    MigrationRequest request = request(definitions.onlineStore());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    MigrationReport report;
    try (Shutdown shutdown = Shutdown.onSignal();
        SingleTableMigration migration = SingleTableMigration.open(request, new Lines(console))) {
      if (end.abort) {
        report = migration.abort();
      } else {
        Materializer materializer = shutdown.add(Materializer.open(definitions, store));
        SchemaRequest asked =
            new SchemaRequest(
                file, name -> declared(definitions, materializer, name), keySeparator);
        report = migration.run(asked, acceptInferred, end.finish);
      }
    }
    output.print(console.out(), () -> MigrationText.of(report), () -> MigrationDocument.of(report));
    return switch (report.state()) {
      case REFUSED -> ExitCode.SOFTWARE;
      case SHOWN -> {
        console
            .err()
            .println(
                "Nothing was begun: this schema is inferred from the rows. Run it again with"
                    + " --accept-inferred, or with a --schema-file.");
        yield ExitCode.USAGE;
      }
      case FOLLOWING, FINISHED, ABORTED -> ExitCode.OK;
    };
  }

  private static Optional<DeclaredView> declared(
      FeatureStore definitions, Materializer materializer, String name) {
    return definitions
        .view(name)
        .map(view -> new DeclaredView(view, materializer.features(view.name())));
  }

  private MigrationRequest request(OnlineStoreSettings store) throws IOException {
    if (passwordFile.isPresent() && from.isEmpty()) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG, "--password-file is of no use without --from");
    }
    Optional<OnlineStoreSettings> database = Optional.empty();
    if (from.isPresent()) {
      database = Optional.of(database(from.get(), store));
    }
    return new MigrationRequest(
        store,
        database,
        schema.orElse(database.isPresent() ? "public" : store.schema()),
        table,
        OldColumns.of(columns),
        batchRows,
        Operator.ofProcess());
  }

  private OnlineStoreSettings database(String url, OnlineStoreSettings store) throws IOException {
    checkAddress(url);
    Optional<String> password =
        passwordFile.isPresent()
            ? Optional.of(Files.readString(passwordFile.get()).stripTrailing())
            : Optional.ofNullable(System.getenv(PASSWORD));
    return new OnlineStoreSettings(
        OnlineStoreSettings.Type.POSTGRES,
        url,
        password.map(Secret::new),
        schema.orElse("public"),
        store.timeout(),
        store.connectionsPerLoop(),
        store.queriesPerLoop(),
        store.keysPerQuery(),
        store.waitingKeysPerLoop());
  }

  /** The address isn't repeated where it is wrong: it may hold a password. */
  private static void checkAddress(String url) {
    try {
      URI uri = new URI(url);
      boolean known = "postgresql".equals(uri.getScheme()) || "postgres".equals(uri.getScheme());
      if (known && uri.getHost() != null && String.valueOf(uri.getRawPath()).length() > 1) {
        if (String.valueOf(uri.getRawUserInfo()).contains(":")) {
          throw new FeatureException(
              ErrorCode.INVALID_CONFIG,
              "--from holds a password: put it into %s or a --password-file".formatted(PASSWORD));
        }
        return;
      }
      throw new FeatureException(ErrorCode.INVALID_CONFIG, BAD_ADDRESS);
    } catch (URISyntaxException e) {
      throw new FeatureException(ErrorCode.INVALID_CONFIG, BAD_ADDRESS, e);
    }
  }

  private static final String BAD_ADDRESS =
      "--from is not of the form postgresql://[user@]host[:port]/database";

  /** Tells how far it has come, a line a second at the most. */
  private static final class Lines implements MigrationProgress {
    private static final long PERIOD_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Console console;
    private long lastNanos = System.nanoTime();

    Lines(Console console) {
      this.console = console;
    }

    @Override
    public void begins(Proposal proposal) {
      console.err().println(MigrationText.of(proposal));
    }

    @Override
    public void phase(String words) {
      console.err().println(words);
    }

    @Override
    public void copied(String view, long rows, long ofRows) {
      long now = System.nanoTime();
      if (rows == ofRows || now - lastNanos >= PERIOD_NANOS) {
        lastNanos = now;
        console.err().printf("%s: %,d of %,d rows are copied%n", view, rows, ofRows);
      }
    }
  }
}
