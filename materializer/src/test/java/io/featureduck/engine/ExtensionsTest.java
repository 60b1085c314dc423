package io.featureduck.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.MaterializerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.Cancellation;
import io.featureduck.testing.TestDefinitions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ExtensionsTest {
  @TempDir private Path directory = Path.of("");

  private DuckDbSession session(Extensions extensions) {
    MaterializerSettings settings = TestDefinitions.materializer(directory);
    return new DuckDb(settings, extensions).open(new Cancellation());
  }

  private Extensions offline(Path folder, List<List<String>> pip) {
    return new Extensions(folder, Optional.of("http://127.0.0.1:1"), pip);
  }

  private static Path installed() {
    Path home = TestDefinitions.materializer(Path.of("")).extensionDirectory();
    Extensions extensions = new Extensions(home);
    try (DuckDbSession session =
        new DuckDb(TestDefinitions.materializer(Path.of("target")), extensions)
            .open(new Cancellation())) {
      session.load("postgres_scanner");
    }
    Extensions.State state = extensions.states().getFirst();
    assertThat(state.installed()).isTrue();
    return state.file();
  }

  @Test
  void load_noNetwork_saysWhatWasTried() {
    Path folder = directory.resolve("extensions");
    Extensions extensions =
        offline(
            folder,
            List.of(
                List.of("featureduck-no-such-pip"),
                List.of("sh", "-c", "echo ERROR: no network; exit 1")));
    try (DuckDbSession session = session(extensions)) {
      assertThatThrownBy(() -> session.load("postgres_scanner"))
          .isInstanceOfSatisfying(
              FeatureException.class,
              e -> assertThat(e.code()).isEqualTo(ErrorCode.EXTENSION_MISSING))
          .hasMessageContaining("DuckDB's extension postgres_scanner could not be found")
          .hasMessageContaining(folder.toString())
          .hasMessageContaining("DuckDB's INSTALL: ")
          .hasMessageContaining("featureduck-no-such-pip")
          .hasMessageContaining("exit 1 ERROR: no network");
    }
    assertThat(extensions.states()).noneMatch(Extensions.State::installed);
  }

  @Test
  void load_wheelFromPip_isUnpackedAndLoaded() throws IOException {
    Path binary = installed();
    Path wheel = directory.resolve("fake.whl");
    Path content = directory.resolve("extensions/v1/postgres_scanner.duckdb_extension");
    Files.createDirectories(content.getParent());
    Files.copy(binary, content);
    zip(wheel, content);
    Path folder = directory.resolve("installed");
    Extensions extensions = offline(folder, List.of());
    Extensions copying =
        offline(folder, List.of(List.of("sh", "-c", "cp " + wheel + " postgres.whl")));

    try (DuckDbSession session = session(copying)) {
      session.load("postgres_scanner");

      assertThat(
              session.list(
                  "SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'postgres_scanner'",
                  row -> row.getBoolean(1)))
          .containsExactly(true);
    }
    try (DuckDbSession session = session(extensions)) {
      // It is there now: nothing is run.
      session.load("postgres_scanner");
    }
    try (Stream<Path> files = Files.walk(folder)) {
      assertThat(files.filter(Files::isRegularFile)).hasSize(1);
    }
  }

  private static void zip(Path wheel, Path content) throws IOException {
    try (var out = new java.util.zip.ZipOutputStream(Files.newOutputStream(wheel))) {
      out.putNextEntry(
          new java.util.zip.ZipEntry("extensions/v1.5.5/postgres_scanner.duckdb_extension"));
      long ignored = Files.copy(content, out);
      out.closeEntry();
    }
  }

  @Test
  void load_brokenFile_isReported() throws IOException {
    Path binary = installed();
    Path folder = directory.resolve("broken");
    // …/v1.5.5/linux_amd64/postgres_scanner.duckdb_extension
    int names = binary.getNameCount();
    Path file = folder.resolve(binary.subpath(names - 3, names));
    Files.createDirectories(file.getParent());
    Files.writeString(file, "half");

    try (DuckDbSession session = session(offline(folder, List.of()))) {
      assertThatThrownBy(() -> session.load("postgres_scanner"))
          .isInstanceOf(FeatureException.class)
          .hasMessageContaining("LOAD " + file);
    }
  }

  @Test
  void open_session_isBoundedAndInUtc() {
    try (DuckDb duckDb =
            new DuckDb(TestDefinitions.materializer(directory), new Extensions(directory));
        DuckDbSession session = duckDb.open(new Cancellation())) {
      assertThat(
              session.list(
                  "SELECT current_setting('TimeZone') || ' ' || current_setting('threads') || ' ' || current_setting('memory_limit')",
                  row -> row.getString(1)))
          .containsExactly("UTC 2 238.4 MiB");
      assertThat(session.folder()).exists();
    }
    assertThat(directory.resolve("state/spill")).isEmptyDirectory();
  }

  @Test
  void open_spillOfProcessThatIsGone_isRemoved() throws IOException {
    // The greatest process id there can be; none has it.
    Path left = directory.resolve("state/spill/4194304999-1");
    Files.createDirectories(left);
    Files.writeString(left.resolve("duckdb_temp_block-1.block"), "rows");

    try (DuckDbSession session = session(new Extensions(directory))) {
      assertThat(left).doesNotExist();
      assertThat(session.folder()).exists();
    }
  }

  @Test
  void execute_cancelled_endsWithItsReason() {
    Cancellation cancellation = new Cancellation();
    MaterializerSettings settings = TestDefinitions.materializer(directory);
    try (DuckDbSession session =
        new DuckDb(settings, new Extensions(directory)).open(cancellation)) {
      Thread canceller =
          Thread.ofVirtual()
              .start(() -> cancellation.cancel(ErrorCode.CANCELLED, "cancelled by the test"));

      assertThatThrownBy(() ->
              session.list(
                  "SELECT count(*) FROM range(10000000000) a, range(1000) b",
                  row -> row.getLong(1)))
          .isInstanceOf(FeatureException.class)
          .hasMessage("cancelled by the test");
      assertThat(canceller).isNotNull();
    }
  }
}
