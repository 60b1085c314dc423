package io.featureduck.dialect;

import java.util.regex.Pattern;

/** Connection strings as people may see them. */
final class ConnectionText {
  private static final Pattern PAIR =
      Pattern.compile(
          "(?i)\\b(password|passwd|pwd|sslpassword|passfile)(\\s*=\\s*)('(?:[^'\\\\]|\\\\.|'')*'|[^\\s&;]+)");
  private static final Pattern ADDRESS = Pattern.compile("(//[^/@:\\s]*):[^/@]*@");

  private ConnectionText() {}

  /** Puts {@code ***} in place of passwords, in the form of pairs and of addresses. */
  static String masked(String connection) {
    String pairs = PAIR.matcher(connection).replaceAll("$1$2***");
    return ADDRESS.matcher(pairs).replaceAll("$1:***@");
  }
}
