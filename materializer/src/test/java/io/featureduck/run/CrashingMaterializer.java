package io.featureduck.run;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.SourceServer;
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
 * <p>Arguments: the config, and of the source the kind of server and the JDBC address.
 */
final class CrashingMaterializer {
  private static final String NEXT =
      "(SELECT max(amount) + 1 AS next FROM orders WHERE team = 1) n";
  private static final String AMOUNT =
      "CASE WHEN team = 0 THEN amount + 1 WHEN team = 1 OR next % 2 = 0 THEN next ELSE -next END";
  private static final String FEW = " WHERE team IN (1, 2)";

  private CrashingMaterializer() {}

  public static void main(String[] arguments) throws SQLException {
    String changeFew = changeFew(SourceServer.valueOf(arguments[1]));
    FeatureStore definitions = ConfigReader.read(Path.of(arguments[0]), Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store);
        Connection source = DriverManager.getConnection(arguments[2]);
        Statement statement = source.createStatement()) {
      for (int i = ThreadLocalRandom.current().nextInt(4); ; i++) {
        // In turns everything changes and the table is replaced, and little does, by an increment.
        boolean all = i % 4 == 0;
        int ignored = statement.executeUpdate(all ? changeFew + " OR team = 0" : changeFew);
        Run run = run(materializer, new RunRequest(all, Optional.empty(), Optional.empty()));
        System.out.println(run.status());
      }
    }
  }

  /** Runs the view once the lock of the process that was killed before is free. */
  private static Run run(Materializer materializer, RunRequest request) {
    while (true) {
      try {
        return materializer.run("totals", request);
      } catch (FeatureException e) {
        if (e.code() != ErrorCode.RUN_IN_PROGRESS) {
          throw e;
        }
      }
    }
  }

  /** Group 1 gets the next number, and group 2 the same one, or by turns one below 0. */
  private static String changeFew(SourceServer server) {
    return switch (server) {
      case POSTGRES ->
          "UPDATE orders o SET updated_at = clock_timestamp(), amount = "
              + AMOUNT
              + " FROM "
              + NEXT
              + FEW;
      case MARIADB ->
          "UPDATE orders o, " + NEXT + " SET updated_at = sysdate(6), amount = " + AMOUNT + FEW;
    };
  }
}
