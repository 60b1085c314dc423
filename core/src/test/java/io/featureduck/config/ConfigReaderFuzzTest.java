package io.featureduck.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Whatever a file holds, reading it gives a store or a list of mistakes, never a crash. */
class ConfigReaderFuzzTest {
  private static final int ROUNDS = 400;
  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static final List<String> VALUES =
      List.of(
          "null",
          "true",
          "0",
          "-1",
          "1e400",
          "1.5",
          "99999999999999999999",
          "\"\"",
          "\" \"",
          "\"\\u0000\"",
          "\"\\ud800\"",
          "\"${NONE}\"",
          "\"${\"",
          "\"${SET}\"",
          "\"$${\"",
          "[]",
          "{}",
          "[[]]",
          "[null]",
          "[{}]",
          "{\"a\":1}",
          "{\"\":{}}",
          "\"a/b~c\"",
          "\"__\"",
          "\"0s\"",
          "\"999999999w\"",
          "\"* * * * *\"",
          "\"1-\"",
          "\"orders\"",
          "\"ARRAY<ARRAY<JSON>>\"",
          "\"postgresql://\"",
          "\"s3://\"",
          "\"**/[\"",
          "\"((\"",
          "\"'\"",
          "\"\\\"\"");

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void read_mutatedTree_refusesOrReads(long seed) throws IOException {
    Random random = new Random(seed);
    for (int round = 0; round < ROUNDS; round++) {
      JsonNode config = MAPPER.readTree(ConfigReaderTest.resource("shop.json"));
      for (int i = random.nextInt(3); i >= 0; i--) {
        mutate(config, random);
      }
      check(config.toString().getBytes(StandardCharsets.UTF_8), seed, round);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {4, 5})
  void read_mutatedBytes_refusesOrReads(long seed) throws IOException {
    Random random = new Random(seed);
    for (int round = 0; round < ROUNDS; round++) {
      byte[] text = ConfigReaderTest.resource("shop.json").getBytes(StandardCharsets.UTF_8);
      for (int i = random.nextInt(4); i >= 0; i--) {
        text[random.nextInt(text.length)] = (byte) random.nextInt(256);
      }
      check(text, seed, round);
    }
  }

  private void check(byte[] text, long seed, int round) throws IOException {
    Path file = folder.resolve("config.json");
    Path unused = Files.write(file, text);
    try {
      assertThat(ConfigReader.read(file, Map.of("SHOP_PASSWORD", "x", "SET", "7"))).isNotNull();
    } catch (InvalidConfigException refused) {
      assertThat(refused.mistakes())
          .as("seed %d, round %d", seed, round)
          .isNotEmpty()
          .allSatisfy(mistake -> assertThat(mistake.toString()).doesNotContain("\n"));
    } catch (RuntimeException e) {
      throw new AssertionError(
          "seed %d, round %d: %s"
              .formatted(seed, round, new String(text, StandardCharsets.ISO_8859_1)),
          e);
    }
  }

  /** Replaces, removes, renames or doubles one value somewhere in the tree. */
  private static void mutate(JsonNode root, Random random) {
    List<JsonNode> containers = new ArrayList<>();
    collect(root, containers);
    JsonNode container = containers.get(random.nextInt(containers.size()));
    if (container.isEmpty()) {
      return;
    }
    JsonNode value = MAPPER.readTree(VALUES.get(random.nextInt(VALUES.size())));
    int at = random.nextInt(container.size());
    switch (container) {
      case ObjectNode object -> {
        String key = List.copyOf(object.propertyNames()).get(at);
        switch (random.nextInt(4)) {
          case 0 -> object.remove(key);
          case 1 -> object.set(key + "x", object.remove(key));
          default -> object.set(key, value);
        }
      }
      case ArrayNode array -> {
        switch (random.nextInt(4)) {
          case 0 -> array.remove(at);
          case 1 -> array.add(array.get(at).deepCopy());
          default -> array.set(at, value);
        }
      }
      default -> throw new IllegalStateException("no container: " + container);
    }
  }

  private static void collect(JsonNode node, List<JsonNode> containers) {
    if (node.isContainer()) {
      containers.add(node);
      node.forEach(child -> collect(child, containers));
    }
  }
}
