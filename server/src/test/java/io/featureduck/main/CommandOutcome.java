package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What became of a command that was run within this process. */
record CommandOutcome(int code, String out, String err) {
  private static final JsonMapper JSON = new JsonMapper();

  /** Runs a command with nobody there to be asked. */
  static CommandOutcome of(Path config, String... arguments) {
    return of(config, new StringWriter(), Optional.empty(), arguments);
  }

  /**
   * @param out gets what the command prints, as it does
   * @param answer what a person types; empty where nobody is there
   */
  static CommandOutcome of(
      Path config, StringWriter out, Optional<String> answer, String... arguments) {
    StringWriter err = new StringWriter();
    List<String> words = new ArrayList<>(List.of(arguments));
    words.addAll(List.of("--config", config.toString()));
    Console console =
        new Console(
            new PrintWriter(out, true),
            new PrintWriter(err, true),
            answer.map(line -> new BufferedReader(new StringReader(line + "\n"))));
    int code = FeatureDuck.execute(console, words.toArray(String[]::new));
    return new CommandOutcome(code, out.toString(), err.toString());
  }

  void assertSuccess() {
    assertThat(code).as("%s%n%s", out, err).isZero();
  }

  JsonNode json() {
    return JSON.readTree(out);
  }
}
