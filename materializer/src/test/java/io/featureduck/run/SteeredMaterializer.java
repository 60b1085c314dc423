package io.featureduck.run;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.FeatureException;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/**
 * A process that runs a view for each line of its input, which is the view's name, and tells how
 * the run ended: {@code > <run id> <status> <error code>}, or {@code > 0 refused <error code>}.
 *
 * <p>Argument: the config.
 */
final class SteeredMaterializer {
  private SteeredMaterializer() {}

  public static void main(String[] arguments) throws IOException {
    FeatureStore definitions = ConfigReader.read(Path.of(arguments[0]), Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store);
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println("> ready");
      for (String view = in.readLine(); view != null; view = in.readLine()) {
        System.out.println("> " + run(materializer, view));
      }
    }
  }

  private static String run(Materializer materializer, String view) {
    try {
      Run run = materializer.run(view, RunRequest.now());
      return run.runId() + " " + run.status().id() + " " + run.errorCode().orElse("-");
    } catch (FeatureException e) {
      return "0 refused " + e.code().id();
    }
  }
}
