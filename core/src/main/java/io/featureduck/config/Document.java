package io.featureduck.config;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One file of a config. Its identity is the file: two are never equal. Interpolation replaces
 * values in place; what was written stays known, for messages.
 */
final class Document {
  private final Path file;
  private final Path folder;
  private final JsonNode root;
  private final Map<String, String> written = new HashMap<>();
  private final Map<String, Integer> positions = new HashMap<>();

  /**
   * @param file as messages show it
   * @param root what the file holds; a missing node where it can't be read
   */
  Document(Path file, JsonNode root) {
    this.file = file;
    this.folder = folderOf(file);
    this.root = root;
    number("", root);
  }

  private static Path folderOf(Path file) {
    Path parent = file.toAbsolutePath().normalize().getParent();
    return parent == null ? file.toAbsolutePath() : parent;
  }

  Path file() {
    return file;
  }

  /** Returns the absolute path of the folder that relative paths in this file start at. */
  Path folder() {
    return folder;
  }

  JsonNode root() {
    return root;
  }

  /** Remembers what stood at a place before interpolation. */
  void interpolated(String pointer, String text) {
    written.put(pointer, text);
  }

  /** Returns what stood at a place before interpolation, or null where there was none. */
  @Nullable String written(String pointer) {
    return written.get(pointer);
  }

  /** Returns where in the file a place is, or the innermost place around it that exists. */
  int position(String pointer) {
    String place = pointer;
    while (true) {
      Integer position = positions.get(place);
      if (position != null) {
        return position;
      }
      int slash = place.lastIndexOf('/');
      if (slash < 0) {
        return 0;
      }
      place = place.substring(0, slash);
    }
  }

  private void number(String pointer, JsonNode node) {
    positions.put(pointer, positions.size());
    switch (node) {
      case ObjectNode object ->
          object.forEachEntry((key, value) -> number(child(pointer, key), value));
      case ArrayNode array -> {
        for (int i = 0; i < array.size(); i++) {
          number(pointer + "/" + i, array.get(i));
        }
      }
      default -> {}
    }
  }

  /** Returns the pointer of a key's value in the object that {@code pointer} is of. */
  static String child(String pointer, String key) {
    return pointer + "/" + key.replace("~", "~0").replace("/", "~1");
  }
}
