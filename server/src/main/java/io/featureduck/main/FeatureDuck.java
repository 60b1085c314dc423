package io.featureduck.main;

import ch.qos.logback.classic.Level;
import io.featureduck.config.InvalidConfigException;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.TypeConversionException;

/**
 * The command line. Exit codes: 0; 1 failed; 2 used wrongly, or the config is invalid; 3 changes,
 * of {@code plan --detailed-exitcode}.
 */
@Command(
    name = "featureduck",
    description = "A feature store: DuckDB computes, Postgres keeps, Vert.x serves.",
    synopsisSubcommandLabel = "COMMAND",
    mixinStandardHelpOptions = true,
    version = "featureduck 0.1.0",
    footer = {"", "Options stand after the command; 'featureduck COMMAND --help' lists them."})
public final class FeatureDuck implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(FeatureDuck.class);

  /**
   * Commands that tell what they do while they do it; the others' answer is all there is to say.
   */
  private static final List<String> TALKATIVE = List.of("up", "serve", "materialize");

  private final Console console;

  private FeatureDuck(Console console) {
    this.console = console;
  }

  public static void main(String[] arguments) {
    boolean talks =
        arguments.length > 0
            && TALKATIVE.contains(arguments[0])
            // There its bars tell.
            && !(arguments[0].equals("materialize") && Logging.isOnTerminal());
    Logging.start(talks ? Level.INFO : Level.WARN);
    System.exit(execute(Console.ofProcess(), arguments));
  }

  /** Runs one command and returns its exit code. */
  static int execute(Console console, String... arguments) {
    return new CommandLine(new FeatureDuck(console))
        .addSubcommand(new UpCommand(console))
        .addSubcommand(new ServeCommand(console))
        .addSubcommand(new MaterializeCommand(console))
        .addSubcommand(new ValidateCommand(console))
        .addSubcommand(new PlanCommand(console))
        .addSubcommand(new ApplyCommand(console))
        .addSubcommand(new VersionsCommand(console))
        .addSubcommand(new HistoryCommand(console))
        .addSubcommand(new SqlCommand(console))
        .addSubcommand(new PreviewCommand(console))
        .addSubcommand(new GetCommand(console))
        .addSubcommand(new DeleteCommand(console))
        .addSubcommand(new RunsCommand(console))
        .addSubcommand(new CancelCommand(console))
        .addSubcommand(new PauseCommand(console))
        .addSubcommand(new ResumeCommand(console))
        .addSubcommand(new ListCommand(console))
        .addSubcommand(new ShowCommand(console))
        .addSubcommand(new DoctorCommand(console))
        .addSubcommand(new ImportFeastCommand(console))
        .addSubcommand(new MigrateSingleTableCommand(console))
        // After the commands, for it goes to those that are there.
        .registerConverter(Instant.class, FeatureDuck::instant)
        .setOut(console.out())
        .setErr(console.err())
        .setExecutionExceptionHandler(
            (failure, command, parsed) -> failed(console, command.getCommandName(), failure))
        .execute(arguments);
  }

  /** No command: help, as a wrong use. */
  @Override
  public Integer call() {
    console.err().println("Missing command: try 'featureduck up', or 'featureduck --help'.");
    return ExitCode.USAGE;
  }

  private static Instant instant(String value) {
    try {
      return Instant.parse(value);
    } catch (DateTimeParseException e) {
      throw new TypeConversionException(
          "'%s' is no instant such as 2026-11-23T10:00:00Z".formatted(value));
    }
  }

  private static int failed(Console console, String command, Exception failure) {
    return switch (failure) {
      case InvalidConfigException invalid -> {
        console.err().println(invalid.getMessage());
        yield ExitCode.USAGE;
      }
      case FeatureException named -> {
        console
            .err()
            .printf("featureduck %s: %s (%s)%n", command, named.getMessage(), named.code().id());
        LOG.debug("{} failed", command, named);
        yield switch (named.code()) {
          case INVALID_CONFIG, UNKNOWN_VIEW, UNKNOWN_RUN -> ExitCode.USAGE;
          default -> ExitCode.SOFTWARE;
        };
      }
      case FileSystemException file -> {
        // Its message is little more than the file's name.
        console.err().printf("featureduck %s: %s%n", command, file);
        LOG.debug("{} failed", command, file);
        yield ExitCode.SOFTWARE;
      }
      case IOException outside -> {
        console.err().printf("featureduck %s: %s%n", command, outside.getMessage());
        LOG.debug("{} failed", command, outside);
        yield ExitCode.SOFTWARE;
      }
      default -> {
        console.err().printf("featureduck %s: %s%n", command, failure);
        LOG.error("{} failed", command, failure);
        yield ExitCode.SOFTWARE;
      }
    };
  }
}
