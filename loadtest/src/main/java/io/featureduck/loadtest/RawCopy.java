package io.featureduck.loadtest;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import org.postgresql.PGConnection;

/**
 * A binary COPY of a ready-made file into an empty table, then its primary key: the least that
 * putting these rows into Postgres costs, with nothing computed.
 */
final class RawCopy {
  private final String url;
  private final Path file;

  RawCopy(String url, Path file) {
    this.url = url;
    this.file = file;
  }

  /** Writes the rows of a table to the file that {@link #run} reads. */
  void export(String table) throws SQLException, IOException {
    try (Connection connection = DriverManager.getConnection(url);
        OutputStream out = Files.newOutputStream(file)) {
      long ignored =
          connection
              .unwrap(PGConnection.class)
              .getCopyAPI()
              .copyOut(
                  "COPY (SELECT %s FROM %s) TO STDOUT (FORMAT binary)"
                      .formatted(Dataset.COLUMNS, table),
                  out);
    }
  }

  /**
   * Copies the rows into a new table of the same shape, makes its key and drops it again.
   *
   * @return seconds until the commit, without the drop
   */
  double run(String like) throws SQLException, IOException {
    try (Connection connection = DriverManager.getConnection(url);
        Statement statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      long start = System.nanoTime();

      statement.execute(
          "CREATE TABLE raw_copy AS SELECT %s FROM %s LIMIT 0".formatted(Dataset.COLUMNS, like));
      try (InputStream rows = Files.newInputStream(file)) {
        long ignored =
            connection
                .unwrap(PGConnection.class)
                .getCopyAPI()
                .copyIn("COPY raw_copy FROM STDIN (FORMAT binary)", rows, 1 << 16);
      }
      statement.execute("ALTER TABLE raw_copy ADD PRIMARY KEY (entity_key)");
      connection.commit();
      double seconds = (System.nanoTime() - start) / 1e9;
      statement.execute("DROP TABLE raw_copy");
      connection.commit();
      return seconds;
    }
  }
}
