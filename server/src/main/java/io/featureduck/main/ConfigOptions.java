package io.featureduck.main;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/** Which config a command reads, and where what it takes from the environment may be found. */
final class ConfigOptions {
  private static final Path DEFAULT_CONFIG = Path.of("config.json");
  private static final String DEFAULT_DIRECTORY = ".featureduck";

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description =
          "What is declared (default: config.json of the working folder, else FeatureDuck's own).")
  private Path config = DEFAULT_CONFIG;

  @Option(
      names = "--directory",
      paramLabel = "FOLDER",
      description = "What 'up' keeps (default: .featureduck beside the config).")
  private Optional<Path> directory = Optional.empty();

  /** Returns the config file: the one asked for, or the sample store's where there is none here. */
  Path file() {
    String home = System.getProperty("featureduck.home");
    if (config.equals(DEFAULT_CONFIG) && !Files.exists(config) && home != null) {
      return Path.of(home).resolve(DEFAULT_CONFIG);
    }
    return config;
  }

  /** Returns the folder of {@code up}, absolute. */
  Path directory() {
    return directory
        .orElseGet(() -> file().toAbsolutePath().resolveSibling(DEFAULT_DIRECTORY))
        .toAbsolutePath()
        .normalize();
  }

  /**
   * Reads the config. Variables that are unset are taken from {@code <directory>/env}, which {@code
   * up} has written.
   */
  FeatureStore read() {
    Map<String, String> environment = new HashMap<>(stored());
    environment.putAll(System.getenv());
    return ConfigReader.read(file(), environment);
  }

  /** Reads the config with variables that count more than the environment's. */
  FeatureStore readWith(Map<String, String> variables) {
    Map<String, String> environment = new HashMap<>(System.getenv());
    environment.putAll(variables);
    return ConfigReader.read(file(), environment);
  }

  private Map<String, String> stored() {
    Path file = directory().resolve("env");
    if (!Files.exists(file)) {
      return Map.of();
    }
    try {
      Map<String, String> values = new LinkedHashMap<>();
      for (String line : Files.readAllLines(file)) {
        int equals = line.indexOf('=');
        if (equals > 0) {
          values.put(line.substring(0, equals), unquoted(line.substring(equals + 1)));
        }
      }
      return values;
    } catch (IOException e) {
      throw new FeatureException(ErrorCode.INVALID_CONFIG, file + " can't be read", e);
    }
  }

  /** Keeps variables for later commands, in a form that a shell can source, too. */
  void store(Map<String, String> variables) throws IOException {
    String lines =
        variables.entrySet().stream()
            .map(variable -> variable.getKey() + "='" + variable.getValue() + "'\n")
            .collect(Collectors.joining());
    Path ignored = Files.writeString(directory().resolve("env"), lines);
  }

  private static String unquoted(String value) {
    return value.length() >= 2 && value.startsWith("'") && value.endsWith("'")
        ? value.substring(1, value.length() - 1)
        : value;
  }
}
