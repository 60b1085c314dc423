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
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A process that changes its source and runs the view over and over, until it is killed.
 *
 * <p>Arguments: the config, and the JDBC address of the source.
 */
final class CrashingMaterializer {
  /** Group 1 gets the next number, and group 2 the same one, or by turns one below 0. */
  private static final String CHANGE_FEW =
      """
      UPDATE orders o SET updated_at = clock_timestamp(),
        amount = CASE WHEN team = 0 THEN amount + 1 WHEN team = 1 OR next % 2 = 0 THEN next ELSE -next END
      FROM (SELECT max(amount) + 1 AS next FROM orders WHERE team = 1) n
      WHERE team IN (1, 2)\
      """;

  private CrashingMaterializer() {}

  public static void main(String[] arguments) throws SQLException {
    FeatureStore definitions = ConfigReader.read(Path.of(arguments[0]), Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store);
        Connection source = DriverManager.getConnection(arguments[1]);
        Statement statement = source.createStatement()) {
      for (int i = ThreadLocalRandom.current().nextInt(4); ; i++) {
        // In turns everything changes and the table is replaced, and little does, by an increment.
        boolean all = i % 4 == 0;
        int ignored = statement.executeUpdate(all ? CHANGE_FEW + " OR team = 0" : CHANGE_FEW);
        Run run =
            materializer.run("totals", new RunRequest(all, Optional.empty(), Optional.empty()));
        System.out.println(run.status());
      }
    }
  }
}
