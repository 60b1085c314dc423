package io.featureduck.loadtest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code pgbench} with prepared statements: what the database alone gives for the same select. */
final class PgBench {
  private static final Pattern RATE = Pattern.compile("tps = ([0-9.]+)");

  private final int port;
  private final String database;
  private final int seconds;

  PgBench(int port, String database, int seconds) {
    this.port = port;
    this.database = database;
    this.seconds = seconds;
  }

  /**
   * Selects {@code keys} rows at a time by their keys.
   *
   * @param columns what is selected, as in the statement of a lookup
   * @return selects per second
   */
  double run(int connections, String columns, String table, int entities, int keys)
      throws IOException, InterruptedException {
    Path script = Files.createTempFile("featureduck-pgbench", ".sql");
    try {
      Files.writeString(script, script(columns, table, entities, keys));
      String out =
          new Command(
                  List.of(
                      "pgbench",
                      "--no-vacuum",
                      "--protocol=prepared",
                      "--client=" + connections,
                      "--jobs=1",
                      "--time=" + seconds,
                      "--host=127.0.0.1",
                      "--port=" + port,
                      "--username=postgres",
                      "--file=" + script,
                      database),
                  Map.of())
              .run(Duration.ofSeconds(seconds + 60L));
      Matcher rate = RATE.matcher(out);
      if (!rate.find()) {
        throw new IOException("pgbench printed no rate: " + out);
      }
      return Double.parseDouble(rate.group(1));
    } finally {
      Files.deleteIfExists(script);
    }
  }

  private static String script(String columns, String table, int entities, int keys) {
    StringBuilder script = new StringBuilder();
    StringBuilder parameters = new StringBuilder();
    for (int i = 0; i < keys; i++) {
      script.append("\\set k").append(i).append(" random(1, ").append(entities).append(")\n");
      parameters.append(i == 0 ? "" : ", ").append(":k").append(i);
    }
    script.append("SELECT ").append(columns).append(" FROM ").append(table);
    return keys == 1
        ? script.append(" WHERE entity_key = :k0::text;\n").toString()
        : script
            .append(" WHERE entity_key = ANY (ARRAY[")
            .append(parameters)
            .append("]::text[]);\n")
            .toString();
  }
}
