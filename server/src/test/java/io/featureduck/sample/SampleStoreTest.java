package io.featureduck.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SampleStoreTest {
  private static final LocalDate MONDAY = LocalDate.of(2026, 11, 23);

  @TempDir Path directory;

  @Test
  void open_newDirectory_hasTheOrdersMovedToToday() throws Exception {
    try (SampleStore store = SampleStore.open(directory, MONDAY)) {
      assertThat(query(store, "SELECT count(*), count(DISTINCT customer_id) FROM orders"))
          .isEqualTo("69659 23570");
      assertThat(query(store, "SELECT min(ordered_at), max(ordered_at) FROM orders"))
          .isEqualTo("2025-05-27 00:00:00+00 2026-11-23 00:00:00+00");
      assertThat(query(store, "SELECT amount, updated_at FROM orders WHERE order_id = 1"))
          .isEqualTo("11.77 2025-05-27 00:00:00+00");
      assertThat(Files.readAllLines(directory.resolve("files/customers.csv")))
          .hasSize(23_571)
          .startsWith(
              "customer_id,cohort,first_ordered_on,first_quantity,first_amount,exported_at",
              "1,joined 2025-05,2025-05-27,1,11.77,2026-11-23T00:00:00Z");
    }
  }

  @Test
  void open_aLaterDay_movesTheSamplesOrdersAlone() throws Exception {
    try (SampleStore store = SampleStore.open(directory, MONDAY)) {
      assertThat(store.insertOrder(new Random(1))).isEqualTo(69_660);
    }
    try (SampleStore store = SampleStore.open(directory, MONDAY.plusDays(2))) {
      assertThat(query(store, "SELECT max(ordered_at) FROM orders WHERE order_id <= 69659"))
          .isEqualTo("2026-11-25 00:00:00+00");
      assertThat(
              query(
                  store,
                  "SELECT ordered_at = updated_at, (SELECT min(updated_at) FROM orders WHERE order_id < 69660)"
                      + " > updated_at FROM orders WHERE order_id = 69660"))
          .isEqualTo("t t");
    }
  }

  @Test
  void open_directoryInUse_saysSo() throws Exception {
    Process other = openElsewhere();
    try {
      assertThatThrownBy(() -> SampleStore.open(directory, MONDAY))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("is in use by another featureduck up");
    } finally {
      other.destroyForcibly().waitFor();
      SampleStore.open(directory, MONDAY).close();
    }
  }

  @Test
  void open_processWasKilled_stopsItsPostgresAndHasItsData() throws Exception {
    openElsewhere().destroyForcibly().waitFor();
    long leftover = pid();

    try (SampleStore store = SampleStore.open(directory, MONDAY)) {
      assertThat(pid()).isNotEqualTo(leftover);
      assertThat(query(store, "SELECT count(*) FROM orders")).isEqualTo("69659");
    }
  }

  @Test
  void open_fillingWasInterrupted_startsOver() throws Exception {
    Path data = Files.createDirectories(directory.resolve("postgres/base"));
    Files.writeString(data.resolve("half"), "");

    try (EmbeddedDatabase database = EmbeddedDatabase.open(directory.toRealPath())) {
      assertThat(data.resolve("half")).doesNotExist();
      try (Connection connection = database.connect("postgres")) {
        assertThat(connection.isValid(5)).isTrue();
      }
    }
  }

  /** Opens the store in a process of its own, and returns once it is open. */
  private Process openElsewhere() throws IOException {
    Process process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "-cp",
                System.getProperty("java.class.path"),
                OpenStore.class.getName(),
                directory.toString(),
                MONDAY.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    // What it logs comes before.
    String opened =
        process
            .inputReader()
            .lines()
            .filter(line -> line.startsWith("opened") || line.startsWith("Exception"))
            .findFirst()
            .orElse("ended");
    assertThat(opened).isEqualTo("opened");
    return process;
  }

  private long pid() throws IOException {
    List<String> lines = Files.readAllLines(directory.resolve("postgres/postmaster.pid"));
    return Long.parseLong(lines.getFirst());
  }

  /** Returns the columns of the first row, with spaces between. */
  private static String query(SampleStore store, String sql) throws SQLException {
    Map<String, String> environment = store.environment();
    String address = environment.getOrDefault("FEATUREDUCK_SOURCE", "");
    String port = address.replaceAll(".*port=(\\d+).*", "$1");
    try (Connection connection =
            java.sql.DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:"
                    + port
                    + "/shop?user=postgres&options=-ctimezone=UTC");
        Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery(sql)) {
      assertThat(result.next()).isTrue();
      StringBuilder row = new StringBuilder(result.getString(1));
      for (int i = 2; i <= result.getMetaData().getColumnCount(); i++) {
        row.append(' ').append(result.getString(i));
      }
      return row.toString();
    }
  }
}
