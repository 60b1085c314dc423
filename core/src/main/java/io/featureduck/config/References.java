package io.featureduck.config;

import io.featureduck.error.Nearest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The names that are declared of one kind, and the check of what refers to them. */
final class References {
  private final String kind;
  private final boolean complete;
  private final Map<String, Node> declared = new HashMap<>();

  /**
   * Takes the names of {@code declarations}, and notes those that are there twice.
   *
   * @param kind what is declared, in one word
   * @param complete whether all files could be read; if not, an unknown name is no mistake
   */
  References(String kind, List<Node> declarations, boolean complete) {
    this.kind = kind;
    this.complete = complete;
    for (Node declaration : declarations) {
      Optional<String> name = declaration.text("name");
      if (name.isPresent()) {
        Node other = declared.putIfAbsent(name.get(), declaration);
        if (other != null) {
          Node node = declaration.child("name");
          node.mistake(
              "%s %s is declared already, at %s".formatted(kind, node.shown(), other.place()));
        }
      }
    }
  }

  /** Notes a mistake if the text at {@code reference} is not the name of anything declared. */
  void check(Node reference) {
    Optional<String> name = reference.text();
    if (complete && name.isPresent() && !declared.containsKey(name.get())) {
      reference.mistake(
          "no %s is called %s%s"
              .formatted(kind, reference.shown(), Nearest.hint(name.get(), declared.keySet())));
    }
  }
}
