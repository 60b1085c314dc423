package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.store.Erasure;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Operator;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Takes the view as it is registered, for it may be declared no more. Exit code 0 also where the
 * view has no row of the entities; 1 where a run still holds some.
 */
@Command(
    name = "delete",
    description =
        "Erases entities from a view and keeps them away, until the source no longer has them.",
    mixinStandardHelpOptions = true)
final class DeleteCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** One record is made for so many entities. */
  private static final int ENTITIES_MAX = 10_000;

  private static final int MISTAKES_SHOWN = 10;

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(index = "0", paramLabel = "VIEW", description = "The view's name.")
  private String name = "";

  @Parameters(
      index = "1..*",
      arity = "0..*",
      paramLabel = "ENTITY",
      description = "Entity keys: with several join keys, their values with | between.")
  private List<String> entities = new ArrayList<>();

  @Option(
      names = "--file",
      paramLabel = "FILE",
      description = "Has more entity keys, one a line, in UTF-8; - is the standard input.")
  private Optional<String> file = Optional.empty();

  DeleteCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException {
    List<String> asked = new ArrayList<>(entities);
    if (file.isPresent()) {
      asked.addAll(lines(file.get()));
    }
    if (asked.isEmpty()) {
      console.err().println("featureduck delete: which entities? Name some, or a --file of them.");
      return ExitCode.USAGE;
    }
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    LiveView view = store.liveView(name).orElseThrow(() -> unknown(definitions, store));
    List<String> mistakes = new ArrayList<>();
    Set<String> keys = new LinkedHashSet<>();
    for (String text : asked) {
      try {
        boolean ignored = keys.add(EntityKey.canonical(view.joinKeys(), text));
      } catch (EntityKeyException e) {
        boolean ignored = mistakes.add(e.getMessage());
      }
    }
    if (!mistakes.isEmpty()) {
      tell(mistakes);
      return ExitCode.USAGE;
    }
    return erase(store, List.copyOf(keys));
  }

  private FeatureException unknown(FeatureStore definitions, OnlineStore store) {
    Set<String> known =
        store.liveViews().stream()
            .map(LiveView::view)
            .collect(Collectors.toCollection(TreeSet::new));
    if (definitions.views().stream().map(FeatureView::name).anyMatch(name::equals)) {
      return new FeatureException(
          ErrorCode.UNKNOWN_VIEW,
          "view '%s' was never materialized, so nothing of it is kept".formatted(name));
    }
    return new FeatureException(
        ErrorCode.UNKNOWN_VIEW,
        "no view is called '%s'%s".formatted(name, Nearest.hint(name, known)));
  }

  private void tell(List<String> mistakes) {
    mistakes.stream()
        .limit(MISTAKES_SHOWN)
        .forEach(mistake -> console.err().printf("featureduck delete: %s%n", mistake));
    if (mistakes.size() > MISTAKES_SHOWN) {
      console.err().printf("and %d more%n", mistakes.size() - MISTAKES_SHOWN);
    }
    console.err().println("Nothing is erased.");
  }

  private int erase(OnlineStore store, List<String> keys) {
    List<Erasure> erasures = new ArrayList<>();
    for (int i = 0; i < keys.size(); i += ENTITIES_MAX) {
      List<String> some = keys.subList(i, Math.min(keys.size(), i + ENTITIES_MAX));
      erasures.add(store.erase(name, some, Erasure.Origin.COMMAND, Operator.ofProcess(), PATIENCE));
    }
    long rows = erasures.stream().mapToLong(Erasure::rows).sum();
    boolean pending = erasures.stream().anyMatch(Erasure::pending);
    output.print(
        console.out(),
        () -> words(keys.size(), rows, pending),
        () -> json(keys.size(), rows, pending, erasures));
    return pending ? ExitCode.SOFTWARE : ExitCode.OK;
  }

  private String words(int entities, long rows, boolean pending) {
    String erased =
        "view %s: %d %s of %d %s erased. Runs keep them away until the source no longer has them."
            .formatted(
                name,
                rows,
                rows == 1 ? "row" : "rows",
                entities,
                entities == 1 ? "entity" : "entities");
    return pending
        ? erased
            + System.lineSeparator()
            + "A run that is writing the view holds some of them: it deletes them before it commits, or the materializer does so within seconds after it."
        : erased;
  }

  private ObjectNode json(int entities, long rows, boolean pending, List<Erasure> erasures) {
    ObjectNode document =
        JSON.createObjectNode()
            .put("view", name)
            .put("entities", entities)
            .put("rows", rows)
            .put("pending", pending);
    ArrayNode ids = document.putArray("erasures");
    erasures.forEach(erasure -> ids.add(erasure.id()));
    return document;
  }

  private static List<String> lines(String file) throws IOException {
    byte[] bytes;
    if (file.equals("-")) {
      InputStream in = System.in;
      bytes = in.readAllBytes();
    } else {
      bytes = Files.readAllBytes(Path.of(file));
    }
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new FeatureException(
          ErrorCode.INVALID_REQUEST, "%s is not in UTF-8".formatted(file), e);
    }
    // A key may end with spaces, and no line is the key of nobody.
    return text.lines().filter(line -> !line.isEmpty()).toList();
  }
}
