package io.featureduck.main;

import io.featureduck.config.InvalidConfigException;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.engine.Extensions;
import io.featureduck.error.FeatureException;
import io.featureduck.run.IndexCheck;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "doctor",
    description = "Tells what FeatureDuck needs and whether it is there.",
    mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();
  private static final int JDK_MIN = 21;
  private static final long FREE_BYTES_MIN = 1L << 30;

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  DoctorCommand(Console console) {
    this.console = console;
  }

  /** A finding: what was looked at, whether it serves, and what was found. */
  private record Finding(String what, State state, String found) {}

  private enum State {
    OK("ok"),
    /** Works, and could be better. */
    WARNING("warning"),
    /** Not there, which matters to some configs only. */
    ABSENT("absent"),
    FAILED("failed");

    private final String id;

    State(String id) {
      this.id = id;
    }
  }

  @Override
  public Integer call() {
    List<Finding> findings = new ArrayList<>();
    findings.add(jdk());
    try {
      FeatureStore definitions = config.read();
      findings.add(new Finding("config", State.OK, config.file().toString()));
      findings.addAll(extensions(definitions.materializer().extensionDirectory()));
      findings.add(database(definitions));
      findings.add(disk(definitions.materializer().stateDirectory()));
      findings.addAll(indexes(definitions));
    } catch (InvalidConfigException e) {
      findings.add(new Finding("config", State.FAILED, e.getMessage()));
    }
    output.print(console.out(), () -> text(findings), () -> json(findings));
    boolean failed = findings.stream().anyMatch(finding -> finding.state() == State.FAILED);
    return failed ? ExitCode.SOFTWARE : ExitCode.OK;
  }

  private static Finding jdk() {
    Runtime.Version version = Runtime.version();
    return new Finding(
        "JDK",
        version.feature() >= JDK_MIN ? State.OK : State.FAILED,
        version + " in " + System.getProperty("java.home"));
  }

  private static List<Finding> extensions(Path directory) {
    try {
      return new Extensions(directory)
          .states().stream()
              .map(extension ->
                  new Finding(
                      "DuckDB's " + extension.name(),
                      extension.installed() ? State.OK : State.ABSENT,
                      extension.installed()
                          ? extension.file().toString()
                          : "installed into " + directory + " when it is first needed"))
              .toList();
    } catch (FeatureException e) {
      return List.of(new Finding("DuckDB", State.FAILED, e.getMessage()));
    }
  }

  private static Finding database(FeatureStore definitions) {
    String url = definitions.onlineStore().url();
    try {
      OnlineStore store = OnlineStore.open(definitions.onlineStore());
      store.migrate();
      return new Finding(
          "online store", State.OK, "%s: %d views".formatted(url, store.liveViews().size()));
    } catch (FeatureException e) {
      return new Finding("online store", State.FAILED, e.getMessage());
    }
  }

  private static Finding disk(Path directory) {
    Path there = directory;
    while (!Files.exists(there)) {
      @Nullable Path parent = there.getParent();
      if (parent == null) {
        return new Finding("disk", State.FAILED, directory + " can't be made");
      }
      there = parent;
    }
    try {
      FileStore disk = Files.getFileStore(there);
      long free = disk.getUsableSpace();
      boolean enough = free >= FREE_BYTES_MIN && Files.isWritable(there);
      return new Finding(
          "disk",
          enough ? State.OK : State.FAILED,
          "%,d MB free for %s%s"
              .formatted(
                  free >> 20,
                  directory,
                  Files.isWritable(there) ? "" : ", which can't be written"));
    } catch (IOException e) {
      return new Finding("disk", State.FAILED, directory + ": " + e.getMessage());
    }
  }

  private static Set<Finding> indexes(FeatureStore definitions) {
    // Views of one source need the same indexes.
    Set<Finding> findings = new LinkedHashSet<>();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store)) {
      for (FeatureView view : definitions.views()) {
        try {
          materializer
              .alwaysFull(view.name())
              .map(why -> alwaysFull(view, why))
              .ifPresent(findings::add);
          materializer.indexes(view.name()).stream()
              .map(DoctorCommand::index)
              .forEach(findings::add);
        } catch (FeatureException e) {
          String looked = "indexes for view " + view.name();
          String why = String.valueOf(e.getMessage()).replaceAll("\\s*\\n\\s*", " ");
          findings.add(new Finding(looked, State.WARNING, "not looked at: " + why));
        }
      }
    }
    return findings;
  }

  private static Finding alwaysFull(FeatureView view, String why) {
    return new Finding(
        "runs of view " + view.name(), State.WARNING, "each reads everything: " + why);
  }

  private static Finding index(IndexCheck check) {
    return new Finding(
        "index of %s on %s".formatted(check.source(), String.join(", ", check.columns())),
        check.remedy().isEmpty() ? State.OK : State.WARNING,
        check
            .remedy()
            .map(remedy -> "none; %s are found by reading all: %s".formatted(check.rows(), remedy))
            .orElse("for " + check.rows()));
  }

  private static String text(List<Finding> findings) {
    TextTable table = new TextTable("what", "state", "found");
    for (Finding finding : findings) {
      table.row(finding.what(), finding.state().id, finding.found());
    }
    return table.toString();
  }

  private static ObjectNode json(List<Finding> findings) {
    ObjectNode document = JSON.createObjectNode();
    ArrayNode list = document.putArray("findings");
    for (Finding finding : findings) {
      list.addObject()
          .put("what", finding.what())
          .put("state", finding.state().id)
          .put("found", finding.found());
    }
    return document;
  }
}
