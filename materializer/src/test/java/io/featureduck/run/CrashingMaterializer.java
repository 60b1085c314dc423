package io.featureduck.run;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;

/**
 * A process that changes its source and runs the view over and over, until it is killed.
 *
 * <p>Arguments: the config, and the JDBC address of the source.
 */
final class CrashingMaterializer {
  private CrashingMaterializer() {}

  public static void main(String[] arguments) throws SQLException {
    FeatureStore definitions = ConfigReader.read(Path.of(arguments[0]), Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store);
        Connection source = DriverManager.getConnection(arguments[1]);
        Statement statement = source.createStatement()) {
      for (int i = 0; ; i++) {
        // In turns everything changes, so that the table is replaced, and little does.
        String which = i % 2 == 0 ? "true" : "customer_id % 50 = 7";
        int ignored =
            statement.executeUpdate("UPDATE orders SET amount = amount + 1 WHERE " + which);
        Run run = materializer.run("totals", RunRequest.now());
        System.out.println(run.status());
      }
    }
  }
}
