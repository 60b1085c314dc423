package io.featureduck.dialect;

import java.util.regex.Pattern;

/** Connection strings as people may see them. */
final class ConnectionText {
  private static final Pattern PAIR =
      Pattern.compile(
          "(?i)\\b(password|passwd|pwd|sslpassword|passfile)(\\s*=\\s*)('(?:[^'\\\\]|\\\\.|'')*'|\"(?:[^\"\\\\]|\\\\.)*+\"?|(?:[^\\s\\\\]|\\\\.)+)");
  private static final Pattern PARAMETER =
      Pattern.compile("(?i)([?&](?:password|sslpassword|passfile)=)[^&]*");
  private static final Pattern ADDRESS = Pattern.compile("(//[^/@:\\s]*):[^@]*@");

  private ConnectionText() {}

  /** Puts {@code ***} in place of passwords, in the form of pairs and of addresses. */
  static String masked(String connection) {
    if (connection.contains("://")) {
      String address = ADDRESS.matcher(connection).replaceFirst("$1:***@");
      return PARAMETER.matcher(address).replaceAll("$1***");
    }
    return PAIR.matcher(connection).replaceAll("$1$2***");
  }
}
