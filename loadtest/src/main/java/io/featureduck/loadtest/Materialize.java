package io.featureduck.loadtest;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The command {@code featureduck materialize}, in a process of its own. */
final class Materialize {
  private final Path root;
  private final Path config;
  private final String store;

  /**
   * @param root of the checkout
   * @param store FEATUREDUCK_STORE_URL
   */
  Materialize(Path root, Path config, String store) {
    this.root = root;
    this.config = config;
    this.store = store;
  }

  /** Returns the record of the last view's run. */
  JsonNode run(List<String> viewsAndOptions) throws IOException, InterruptedException {
    List<String> words =
        new ArrayList<>(List.of(root.resolve("featureduck").toString(), "materialize"));
    words.addAll(viewsAndOptions);
    words.addAll(List.of("--output", "json", "--config", config.toString()));
    String out =
        new Command(words, Map.of("FEATUREDUCK_STORE_URL", store)).run(Duration.ofMinutes(20));
    JsonNode runs = JsonMapper.shared().readTree(out).path("runs");
    JsonNode last = runs.path(runs.size() - 1);
    if (!last.path("status").asString().equals("succeeded")) {
      throw new IOException("a run did not succeed: " + last);
    }
    return last;
  }
}
