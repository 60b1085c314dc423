package io.featureduck.main;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.feast.ConfigText;
import io.featureduck.feast.FeastImport;
import io.featureduck.feast.FeastImport.Imported;
import io.featureduck.feast.Finding;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Prints the config, or writes it; what it lacks of the repository is told besides. */
@Command(
    name = "import-feast",
    description = "Makes a config of what a Feast repository defines, and tells what it lacks.",
    mixinStandardHelpOptions = true)
final class ImportFeastCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(
      paramLabel = "DIRECTORY",
      description = "The repository: where feature_store.yaml is.")
  private Path directory = Path.of("");

  @Option(
      names = "--python",
      paramLabel = "PROGRAM",
      description =
          "A Python that has the package feast (default: of the repository's virtual environment, else of the active one, else python3).")
  private Optional<String> python = Optional.empty();

  @Option(
      names = "--to",
      paramLabel = "FILE",
      description = "Write the config there, with paths relative to it (default: print it).")
  private Optional<Path> to = Optional.empty();

  @Option(names = "--force", description = "Replace the file if there is one.")
  private boolean force;

  ImportFeastCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path file = to.orElse(Path.of("config.json")).toAbsolutePath().normalize();
    Path folder = Optional.ofNullable(file.getParent()).orElse(file);
    if (to.isPresent() && Files.exists(file) && !force) {
      throw exists();
    }
    if (!Files.isDirectory(folder)) {
      throw new FeatureException(ErrorCode.INVALID_CONFIG, "there is no folder " + folder);
    }
    Imported imported = FeastImport.read(directory, python, folder, System.getenv());
    String config = ConfigText.of(imported.config());
    if (to.isPresent()) {
      write(file, config);
    }
    output.print(
        console.out(),
        () ->
            to.isPresent()
                ? "wrote %s: %s".formatted(to.get(), counts(imported))
                : config.stripTrailing(),
        () -> json(imported));
    if (output.isText()) {
      tell("not taken", imported.notTaken());
      tell("taken otherwise", imported.changed());
      if (!imported.config().path("views").isEmpty()) {
        console
            .err()
            .println(
                "no view has a batch_schedule yet: until then, 'featureduck materialize' computes them");
      }
    }
    return ExitCode.OK;
  }

  private void write(Path file, String config) throws IOException {
    OpenOption[] options =
        force
            ? new OpenOption[] {
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE
            }
            : new OpenOption[] {StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE};
    try {
      Path ignored = Files.writeString(file, config, options);
    } catch (FileAlreadyExistsException e) {
      throw exists();
    }
  }

  private FeatureException exists() {
    return new FeatureException(
        ErrorCode.INVALID_CONFIG,
        "%s is there already: give --force to replace it".formatted(to.orElseThrow()));
  }

  private static String counts(Imported imported) {
    ObjectNode config = imported.config();
    return "%d entities, %d sources, %d views, %d services"
        .formatted(
            config.path("entities").size(),
            config.path("sources").size(),
            config.path("views").size(),
            config.path("services").size());
  }

  private void tell(String what, List<Finding> findings) {
    if (!findings.isEmpty()) {
      console.err().println(what + ":");
      findings.forEach(finding -> console.err().println("  " + finding));
    }
  }

  private static ObjectNode json(Imported imported) {
    ObjectNode document = JSON.createObjectNode();
    document.put("feast_version", imported.feastVersion());
    document.set("config", imported.config());
    addFindings(document.putArray("not_taken"), imported.notTaken());
    addFindings(document.putArray("changed"), imported.changed());
    return document;
  }

  private static void addFindings(ArrayNode list, List<Finding> findings) {
    findings.forEach(finding ->
        list.addObject()
            .put("kind", finding.kind())
            .put("name", finding.name())
            .put("reason", finding.reason())
            .put("hint", finding.hint()));
  }
}
