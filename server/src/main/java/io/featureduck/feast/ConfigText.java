package io.featureduck.feast;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A config as people write it: what fits into a line is on one. */
public final class ConfigText {
  private static final JsonMapper JSON = new JsonMapper();
  private static final int WIDTH = 100;

  private ConfigText() {}

  /** Returns JSON text that ends with a line break. */
  public static String of(JsonNode config) {
    return text(config, "", 0) + "\n";
  }

  /**
   * @param taken how much of the line is taken before the text
   */
  private static String text(JsonNode node, String indentation, int taken) {
    String line = line(node);
    // The outermost object is never on one line, and lists of objects only where they have one.
    boolean broken = indentation.isEmpty() && node.isObject() && !node.isEmpty() && taken == 0;
    if (!node.isContainer() || (!broken && taken + line.length() <= WIDTH)) {
      return line;
    }
    String inner = indentation + "  ";
    List<String> parts = new ArrayList<>();
    if (node.isObject()) {
      node.properties()
          .forEach(property -> {
            String key = JSON.writeValueAsString(property.getKey()) + ": ";
            parts.add(
                inner + key + text(property.getValue(), inner, inner.length() + key.length()));
          });
    } else {
      node.forEach(element -> parts.add(inner + text(element, inner, inner.length())));
    }
    String body = String.join(",\n", parts) + "\n" + indentation;
    return node.isObject() ? "{\n" + body + "}" : "[\n" + body + "]";
  }

  private static String line(JsonNode node) {
    List<String> parts = new ArrayList<>();
    if (node.isObject()) {
      node.properties()
          .forEach(property ->
              parts.add(
                  JSON.writeValueAsString(property.getKey()) + ": " + line(property.getValue())));
      return "{" + String.join(", ", parts) + "}";
    }
    if (node.isArray()) {
      node.forEach(element -> parts.add(line(element)));
      return "[" + String.join(", ", parts) + "]";
    }
    return JSON.writeValueAsString(node);
  }
}
