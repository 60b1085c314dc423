package io.featureduck.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Replaces, in the strings of a document, {@code ${NAME}} and {@code ${NAME:-default}} by an
 * environment variable (the default where it is unset or empty) and {@code ${file:/path}} by what
 * the file holds, without the line ends that close it. A doubled dollar sign keeps a reference as
 * it is: {@code $${NAME}} becomes {@code ${NAME}}. What is put in is not read again.
 */
final class Interpolation {
  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
  private static final String FILE = "file:";
  private static final String DEFAULT = ":-";

  private final Map<String, String> environment;
  private final Mistakes mistakes;

  Interpolation(Map<String, String> environment, Mistakes mistakes) {
    this.environment = environment;
    this.mistakes = mistakes;
  }

  void apply(Document document) {
    JsonNode unused = replaced(document, "", document.root());
  }

  /** Returns the node to put in place of {@code node}: itself, but for a string that changes. */
  private JsonNode replaced(Document document, String pointer, JsonNode node) {
    switch (node) {
      case ObjectNode object -> {
        for (String key : List.copyOf(object.propertyNames())) {
          object.set(key, replaced(document, Document.child(pointer, key), object.required(key)));
        }
      }
      case ArrayNode array -> {
        for (int i = 0; i < array.size(); i++) {
          array.set(i, replaced(document, pointer + "/" + i, array.required(i)));
        }
      }
      default -> {
        if (node.isString() && node.stringValue().contains("${")) {
          String written = node.stringValue();
          document.interpolated(pointer, written);
          return JsonNodeFactory.instance.stringNode(replaced(document, pointer, written));
        }
      }
    }
    return node;
  }

  private String replaced(Document document, String pointer, String text) {
    StringBuilder result = new StringBuilder();
    int at = 0;
    while (at < text.length()) {
      if (text.startsWith("$${", at)) {
        result.append("${");
        at += 3;
      } else if (text.startsWith("${", at)) {
        int end = text.indexOf('}', at);
        if (end < 0) {
          mistakes.addUnusable(
              document, pointer, "'${' has no '}' after it; write $${ for a plain ${");
          return text;
        }
        result.append(value(document, pointer, text.substring(at + 2, end)));
        at = end + 1;
      } else {
        result.append(text.charAt(at));
        at++;
      }
    }
    return result.toString();
  }

  private String value(Document document, String pointer, String reference) {
    if (reference.startsWith(FILE)) {
      return fileText(document, pointer, reference.substring(FILE.length()));
    }
    int separator = reference.indexOf(DEFAULT);
    String name = separator < 0 ? reference : reference.substring(0, separator);
    if (!NAME.matcher(name).matches()) {
      mistakes.addUnusable(
          document,
          pointer,
          "%s is no environment variable's name; write $${ for a plain ${"
              .formatted(Node.quoted(name)));
      return "";
    }
    String value = environment.get(name);
    if (separator >= 0) {
      return value == null || value.isEmpty()
          ? reference.substring(separator + DEFAULT.length())
          : value;
    }
    if (value == null) {
      mistakes.addUnusable(
          document,
          pointer,
          "environment variable %s is not set, and there is no default: set it or write ${%s:-…}"
              .formatted(name, name));
      return "";
    }
    return value;
  }

  private String fileText(Document document, String pointer, String path) {
    try {
      Path file = document.folder().resolve(path);
      String text = Files.readString(file);
      return text.replaceFirst("[\\r\\n]+\\z", "");
    } catch (NoSuchFileException e) {
      mistakes.addUnusable(document, pointer, "there is no file %s".formatted(Node.quoted(path)));
    } catch (IOException | InvalidPathException e) {
      mistakes.addUnusable(
          document, pointer, "file %s can't be read as UTF-8 text".formatted(Node.quoted(path)));
    }
    return "";
  }
}
