package io.featureduck.main;

import ch.qos.logback.classic.Level;
import io.featureduck.config.InvalidConfigException;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.List;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;

/** The command line. Exit codes: 0; 1 failed; 2 used wrongly, or the config is invalid. */
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
    boolean talks = arguments.length > 0 && TALKATIVE.contains(arguments[0]);
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
        .addSubcommand(new SqlCommand(console))
        .addSubcommand(new PreviewCommand(console))
        .addSubcommand(new GetCommand(console))
        .addSubcommand(new RunsCommand(console))
        .addSubcommand(new ListCommand(console))
        .addSubcommand(new ShowCommand(console))
        .addSubcommand(new DoctorCommand(console))
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
        yield named.code() == ErrorCode.INVALID_CONFIG || named.code() == ErrorCode.UNKNOWN_VIEW
            ? ExitCode.USAGE
            : ExitCode.SOFTWARE;
      }
      default -> {
        console.err().printf("featureduck %s: %s%n", command, failure);
        LOG.error("{} failed", command, failure);
        yield ExitCode.SOFTWARE;
      }
    };
  }
}
