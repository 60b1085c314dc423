package io.featureduck.engine;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * DuckDB's extensions that are not in its JDBC jar. Each is taken from the extension directory;
 * where it isn't there, DuckDB's own INSTALL puts it there; where that fails, the same signed
 * binary from Python's package index. DuckDB checks the signature in all three cases.
 *
 * <p>Thread-safe; several processes may share the directory, too, for a file appears in it whole.
 */
public final class Extensions {
  private static final Logger LOG = LoggerFactory.getLogger(Extensions.class);

  private static final long PIP_SECONDS_MAX = 180;
  private static final List<List<String>> PIP =
      List.of(List.of("pip3"), List.of("pip"), List.of("python3", "-m", "pip"));

  /** What plans may need; {@code featureduck doctor} tells which are there. */
  private static final List<String> KNOWN =
      List.of("postgres_scanner", "mysql_scanner", "httpfs", "iceberg", "avro", "delta");

  private final Path directory;
  private final Optional<String> repository;
  private final List<List<String>> pip;

  /**
   * @param directory absolute; made when something is installed
   */
  public Extensions(Path directory) {
    this(directory, Optional.empty(), PIP);
  }

  /**
   * @param repository where DuckDB's INSTALL looks; its own where empty
   * @param pip the commands to try for Python's package index, in order
   */
  Extensions(Path directory, Optional<String> repository, List<List<String>> pip) {
    this.directory = directory;
    this.repository = repository;
    this.pip = List.copyOf(pip);
  }

  /**
   * An extension as it lies, or doesn't, in the directory.
   *
   * @param file where it is or would be
   */
  public record State(String name, Path file, boolean installed) {}

  /** Returns the state of each extension that plans may need, without installing any. */
  public List<State> states() {
    try (Connection connection = java.sql.DriverManager.getConnection("jdbc:duckdb:")) {
      List<State> states = new ArrayList<>();
      for (String name : KNOWN) {
        Path file = file(connection, name);
        states.add(new State(name, file, Files.isRegularFile(file)));
      }
      return List.copyOf(states);
    } catch (SQLException e) {
      throw new FeatureException(ErrorCode.INTERNAL, "DuckDB doesn't start", e);
    }
  }

  /**
   * Loads an extension, and installs it first where it is missing.
   *
   * @throws FeatureException EXTENSION_MISSING, saying what was tried
   */
  void load(Connection connection, String name) throws SQLException {
    Path file = file(connection, name);
    List<String> tried = new ArrayList<>();
    if (Files.isRegularFile(file) && tryLoad(connection, file, tried)) {
      return;
    }
    // In one process one installs and the others wait; the next finds the file.
    synchronized (Extensions.class) {
      if (tried.isEmpty() && Files.isRegularFile(file) && tryLoad(connection, file, tried)) {
        return;
      }
      if (tried.isEmpty()) {
        tried.add(file + " is not there");
      }
      LOG.info("installing DuckDB's extension {} into {}", name, directory);
      if (install(connection, name, tried) && tryLoad(connection, file, tried)) {
        return;
      }
      if (download(name, file, tried) && tryLoad(connection, file, tried)) {
        return;
      }
    }
    throw new FeatureException(
        ErrorCode.EXTENSION_MISSING,
        "DuckDB's extension %s could not be found or installed; tried: %s"
            .formatted(name, String.join("; ", tried)));
  }

  private Path file(Connection connection, String name) throws SQLException {
    return directory
        .resolve(text(connection, "SELECT library_version FROM pragma_version()"))
        .resolve(text(connection, "SELECT platform FROM pragma_platform()"))
        .resolve(name + ".duckdb_extension");
  }

  private static boolean tryLoad(Connection connection, Path file, List<String> tried) {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("LOAD " + DuckDb.literal(file.toString()));
      return true;
    } catch (SQLException e) {
      tried.add("LOAD %s: %s".formatted(file, firstLine(e)));
      return false;
    }
  }

  private boolean install(Connection connection, String name, List<String> tried) {
    String from = repository.map(url -> " FROM " + DuckDb.literal(url)).orElse("");
    try (Statement statement = connection.createStatement()) {
      Files.createDirectories(directory);
      String directorySetting = "SET extension_directory = " + DuckDb.literal(directory.toString());
      boolean ignored = statement.execute(directorySetting);
      ignored = statement.execute("FORCE INSTALL " + name + from);
      return true;
    } catch (SQLException e) {
      tried.add("DuckDB's INSTALL: " + firstLine(e));
    } catch (IOException e) {
      tried.add("making %s: %s".formatted(directory, e));
    }
    return false;
  }

  private boolean download(String name, Path file, List<String> tried) {
    // v1.5.5 of the library goes with 1.5.5 of the packages.
    String version = file.getName(directory.getNameCount()).toString().substring(1);
    String wanted = "duckdb-extension-" + name.replace('_', '-') + "==" + version;
    for (List<String> command : pip) {
      List<String> line = new ArrayList<>(command);
      line.addAll(
          List.of("download", "--no-deps", "--disable-pip-version-check", "--no-input", wanted));
      try {
        Path folder = Files.createTempDirectory("featureduck-extension");
        try {
          if (run(line, folder, tried) && unpack(folder, name, file, tried)) {
            return true;
          }
        } finally {
          delete(folder);
        }
      } catch (IOException e) {
        // The command isn't there; the next one may be.
        tried.add(String.join(" ", command) + ": " + e.getMessage());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new FeatureException(ErrorCode.CANCELLED, "interrupted while installing " + name, e);
      }
    }
    return false;
  }

  private static boolean run(List<String> line, Path folder, List<String> tried)
      throws IOException, InterruptedException {
    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(line)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try {
      if (process.waitFor(PIP_SECONDS_MAX, TimeUnit.SECONDS)) {
        if (process.exitValue() == 0) {
          return true;
        }
        try (Stream<String> lines = Files.lines(log, StandardCharsets.UTF_8)) {
          String error = lines.filter(l -> l.startsWith("ERROR")).reduce((a, b) -> b).orElse("");
          tried.add("%s: exit %d %s".formatted(String.join(" ", line), process.exitValue(), error));
        }
      } else {
        tried.add("%s: not done after %d s".formatted(String.join(" ", line), PIP_SECONDS_MAX));
      }
      return false;
    } finally {
      process.destroyForcibly();
    }
  }

  /** Moves the extension out of the wheel, which is a zip, to where DuckDB looks for it. */
  private static boolean unpack(Path folder, String name, Path file, List<String> tried)
      throws IOException {
    Path wheel;
    try (Stream<Path> files = Files.list(folder)) {
      wheel =
          files
              .filter(path -> path.toString().endsWith(".whl"))
              .findFirst()
              .orElseThrow(() -> new IOException("no wheel was downloaded"));
    }
    try (InputStream in = Files.newInputStream(wheel);
        ZipInputStream zip = new ZipInputStream(in)) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        if (entry.getName().endsWith("/" + name + ".duckdb_extension")) {
          Files.createDirectories(file.getParent());
          // Beside its place, for a move is atomic within one file system only.
          Path part = Files.createTempFile(file.getParent(), name, ".part");
          try {
            Files.copy(zip, part, StandardCopyOption.REPLACE_EXISTING);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
          } finally {
            boolean ignored = Files.deleteIfExists(part);
          }
          return true;
        }
      }
    }
    tried.add(wheel.getFileName() + " has no " + name + ".duckdb_extension");
    return false;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    Files.delete(folder);
  }

  private static String firstLine(SQLException e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }

  private static String text(Connection connection, String select) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      if (!rows.next()) {
        throw new IllegalStateException(select + " gave nothing");
      }
      return rows.getString(1);
    }
  }
}
