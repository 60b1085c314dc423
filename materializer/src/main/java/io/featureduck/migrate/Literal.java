package io.featureduck.migrate;

import java.util.Collection;
import java.util.stream.Collectors;

/** Constants of Postgres' SQL, for where COPY or DDL takes no parameters. */
final class Literal {
  private Literal() {}

  /** Returns {@code text} as a constant; any text, whatever the session's settings are. */
  static String of(String text) {
    String quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'";
    return text.indexOf('\\') < 0 ? quoted : " E" + quoted;
  }

  /** Returns an array of texts. */
  static String array(Collection<String> texts) {
    return texts.stream().map(Literal::of).collect(Collectors.joining(", ", "ARRAY[", "]::text[]"));
  }
}
