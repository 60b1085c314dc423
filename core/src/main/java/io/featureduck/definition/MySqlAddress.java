package io.featureduck.definition;

import io.featureduck.error.Nearest;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Where a MySQL server is and as whom it is asked, from a source's {@code connection_string}: pairs
 * {@code host=db database=shop user=duck password="with spaces"}, or {@code
 * mysql://duck:secret@db:3306/shop?ssl-mode=required}. In quotes, a backslash stands before a quote
 * or another backslash; in an address, everything may be percent-encoded.
 */
public final class MySqlAddress {
  private static final int PORT = 3306;

  /** DuckDB's extension takes none above. */
  private static final int PORT_MAX = 65_353;

  private static final List<String> KEYS =
      List.of(
          "host",
          "port",
          "database",
          "user",
          "password",
          "socket",
          "compression",
          "ssl_mode",
          "ssl_ca",
          "ssl_capath",
          "ssl_cert",
          "ssl_cipher",
          "ssl_crl",
          "ssl_crlpath",
          "ssl_key");
  private static final Map<String, String> ALIASES =
      Map.of("db", "database", "passwd", "password", "unix_socket", "socket");

  private static final Pattern PAIR =
      Pattern.compile(
          "\\s*([^\\s=]+)=\\s*(?:\"((?:[^\"\\\\]|\\\\[\"\\\\])*+)\"|([^\\s=\"']*))(?=\\s|$)");
  private static final Pattern URI =
      Pattern.compile(
          "mysql://(?:([^:@/?]*)(?::([^@/?]*))?@)?([^:@/?]+)(?::([^:@/?]+))?(?:/([^/?]*))?(?:\\?(.*))?");

  private final Map<String, String> values;

  private MySqlAddress(Map<String, String> values) {
    this.values = values;
  }

  /**
   * Reads a connection string.
   *
   * @throws IllegalArgumentException with a message that repeats none of its values
   */
  public static MySqlAddress parse(String text) {
    MySqlAddress address = new MySqlAddress(new LinkedHashMap<>());
    if (text.contains("://")) {
      address.readUri(text);
    } else {
      address.readPairs(text);
    }
    String port = address.values.getOrDefault("port", "" + PORT);
    if (!port.matches("\\d{1,5}") || Integer.parseInt(port) > PORT_MAX) {
      throw new IllegalArgumentException("'port' is no number from 1 to " + PORT_MAX);
    }
    return address;
  }

  private void readUri(String text) {
    Matcher uri = URI.matcher(text.strip());
    if (!uri.matches()) {
      throw new IllegalArgumentException(
          "expected mysql://user:password@host:3306/database (in a password, characters such as / and @ must be percent-encoded), or pairs such as host=… database=…");
    }
    List<String> keys = List.of("user", "password", "host", "port", "database");
    for (int i = 0; i < keys.size(); i++) {
      String value = uri.group(i + 1);
      if (value != null && !value.isEmpty()) {
        put(keys.get(i), decoded(value));
      }
    }
    String parameters = Optional.ofNullable(uri.group(6)).orElse("");
    for (String parameter : parameters.isEmpty() ? new String[0] : parameters.split("&", -1)) {
      int equals = parameter.indexOf('=');
      if (equals < 0) {
        throw new IllegalArgumentException("expected key=value pairs after '?', joined by '&'");
      }
      put(
          parameter.substring(0, equals).replace('-', '_'),
          decoded(parameter.substring(equals + 1)));
    }
  }

  private static String decoded(String value) {
    try {
      return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      // The cause would repeat the text.
      throw new IllegalArgumentException(
          "a '%' of the address begins no percent-encoded character");
    }
  }

  private void readPairs(String text) {
    Matcher pair = PAIR.matcher(text);
    int end = 0;
    while (!text.substring(end).isBlank()) {
      if (!pair.find(end) || pair.start() != end) {
        throw new IllegalArgumentException(
            "expected pairs such as host=… database=…, separated by spaces: a value with spaces, quotes or '=' stands in double quotes, in which \\ stands before \" and \\");
      }
      String quoted = pair.group(2);
      put(pair.group(1), quoted == null ? pair.group(3) : quoted.replaceAll("\\\\(.)", "$1"));
      end = pair.end();
    }
  }

  private void put(String written, String value) {
    String lower = written.toLowerCase(Locale.ROOT);
    String key = ALIASES.getOrDefault(lower, lower);
    if (!KEYS.contains(key)) {
      // Not repeated, for it may be what follows a space in a password.
      throw new IllegalArgumentException(
          "key %d is none of %s%s"
              .formatted(values.size() + 1, String.join(", ", KEYS), Nearest.hint(key, KEYS)));
    }
    if (values.put(key, value) != null) {
      throw new IllegalArgumentException("'%s' is there twice".formatted(key));
    }
  }

  /** Returns the host; empty where a socket of this machine is meant. */
  public Optional<String> host() {
    return values.containsKey("socket")
        ? Optional.empty()
        : Optional.ofNullable(values.get("host"));
  }

  public int port() {
    return Integer.parseInt(values.getOrDefault("port", "" + PORT));
  }

  public Optional<String> database() {
    return Optional.ofNullable(values.get("database")).filter(name -> !name.isEmpty());
  }

  /** Returns it as pairs, with the password: what {@link #parse} and DuckDB's extension read. */
  public String connectionString() {
    return values.entrySet().stream()
        .map(entry -> entry.getKey() + "=" + quoted(entry.getValue()))
        .collect(Collectors.joining(" "));
  }

  private static String quoted(String value) {
    return value.matches("[A-Za-z0-9._/:-]+")
        ? value
        : "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }

  @Override
  public String toString() {
    return host().orElse("socket") + ":" + port();
  }
}
