package io.featureduck.feast;

import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Texts on their way into a config. {@code feature_store.yaml} has environment variables as {@code
 * $NAME} or <code>${NAME}</code>; the config has the latter, and wants every other <code>${</code>
 * marked.
 */
final class SettingText {
  private static final Pattern VARIABLE =
      Pattern.compile("\\$(?:([A-Za-z_]\\w*)|\\{([A-Za-z_]\\w*)\\})");

  private SettingText() {}

  /** Returns a text in which nothing stands for a variable. */
  static String literal(String text) {
    return text.replace("${", "$${");
  }

  /** Tells whether a setting is a variable and nothing else. */
  static boolean isVariable(String setting) {
    return VARIABLE.matcher(setting).matches();
  }

  /** Returns a setting with its variables. */
  static String withVariables(String setting) {
    return withVariables(setting, UnaryOperator.identity());
  }

  /**
   * Returns a setting with its variables.
   *
   * @param encoding of what stands around them
   */
  static String withVariables(String setting, UnaryOperator<String> encoding) {
    StringBuilder text = new StringBuilder();
    Matcher variable = VARIABLE.matcher(setting);
    int at = 0;
    while (variable.find()) {
      text.append(literal(encoding.apply(setting.substring(at, variable.start()))));
      String name = variable.group(1) == null ? variable.group(2) : variable.group(1);
      text.append("${").append(name).append('}');
      at = variable.end();
    }
    return text.append(literal(encoding.apply(setting.substring(at)))).toString();
  }
}
