package io.featureduck.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** Texts as people read them, in files beside the tests that hold them. */
public final class Golden {
  private Golden() {}

  /**
   * Asserts that a text is that of the file {@code name} in the folder of the test's package. With
   * {@code -Dfeatureduck.golden=write} the file is written anew, to be read before it is kept.
   */
  public static void assertGolden(Class<?> test, String name, String actual) {
    try {
      if ("write".equals(System.getProperty("featureduck.golden"))) {
        Path file =
            Path.of("src/test/resources", test.getPackageName().split("\\."))
                .resolve(name)
                .toAbsolutePath();
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        Files.writeString(file, actual + "\n");
        return;
      }
      try (InputStream golden = test.getResourceAsStream(name)) {
        assertThat(golden).as(name).isNotNull();
        assertThat(actual + "\n")
            .as(name)
            .isEqualTo(
                new String(Objects.requireNonNull(golden).readAllBytes(), StandardCharsets.UTF_8));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
