package io.featureduck.feast;

import java.text.Normalizer;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The names in config.json of what Feast names: as it is where it follows the rule for names, else
 * made to, {@code CustomerOrders} being {@code customer_orders}. No two are alike; names that need
 * no change come first.
 */
final class Names {
  private static final Pattern RULE = Pattern.compile("(?!.*__)[a-z][a-z0-9_]{0,47}");
  private static final Pattern HUMP = Pattern.compile("(?<=[a-z0-9])(?=[A-Z])");
  private static final Pattern MARK = Pattern.compile("\\p{M}+");
  private static final Pattern FOREIGN = Pattern.compile("[^a-z0-9]+");
  private static final Pattern EDGE = Pattern.compile("^_|_$");

  private final Map<String, String> byFeast = new HashMap<>();
  private final Map<String, String> takenBy = new HashMap<>();

  Names(Collection<String> feastNames) {
    Stream.concat(
            feastNames.stream().filter(Names::isName), feastNames.stream().filter(n -> !isName(n)))
        .forEach(name -> {
          String converted = converted(name);
          if (isName(converted) && takenBy.putIfAbsent(converted, name) == null) {
            String ignored = byFeast.put(name, converted);
          }
        });
  }

  /** Returns the name, or empty where {@link #refusal} says why there is none. */
  Optional<String> of(String feastName) {
    return Optional.ofNullable(byFeast.get(feastName));
  }

  String refusal(String feastName) {
    String converted = converted(feastName);
    String other = takenBy.get(converted);
    return other == null
        ? "its name can't be made one of ours: a lower-case letter, then up to 47 lower-case letters, digits or '_', without '__'"
        : "its name would be '%s' here, as that of '%s'".formatted(converted, other);
  }

  static boolean isName(String text) {
    return RULE.matcher(text).matches();
  }

  /** Makes a text follow the rule, as far as that goes. */
  static String converted(String text) {
    if (isName(text)) {
      return text;
    }
    String plain = MARK.matcher(Normalizer.normalize(text, Normalizer.Form.NFKD)).replaceAll("");
    String lower = HUMP.matcher(plain).replaceAll("_").toLowerCase(java.util.Locale.ROOT);
    return EDGE.matcher(FOREIGN.matcher(lower).replaceAll("_")).replaceAll("");
  }
}
