package io.featureduck.run;

import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.TreeMap;

/** Tells whether a source still is the one that was read before. */
final class SourceHash {
  private SourceHash() {}

  /**
   * Returns a hash of all in a source's definition that its rows, and their order, depend on: where
   * it is (no password), its columns' roles and types, its time zone.
   */
  static String of(Source source) {
    String text =
        String.join(
            "\n",
            new DuckDbDialect().place(source),
            source.timestampField(),
            source.cursorField(),
            source.zoneName(),
            source.rowId().orElse(""),
            new TreeMap<>(source.columns()).toString());
    if (source.isStatic()) {
      // Its watermark moves on past changes that nobody has seen.
      text += "\nstatic";
    }
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
