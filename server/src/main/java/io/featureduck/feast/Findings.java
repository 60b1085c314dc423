package io.featureduck.feast;

import static java.util.stream.Collectors.joining;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What an import tells beside the config it makes, in the order in which it was found. */
final class Findings {
  private final List<Finding> notTaken = new ArrayList<>();
  private final List<Finding> changed = new ArrayList<>();

  void notTaken(String kind, String name, String reason, String hint) {
    notTaken.add(new Finding(kind, name, reason, hint));
  }

  void changed(String kind, String name, String reason, String hint) {
    changed.add(new Finding(kind, name, reason, hint));
  }

  /** Tells of a name that is another here. */
  void renamed(String kind, String feastName, String name) {
    if (!feastName.equals(name)) {
      changed(kind, feastName, "it is called '%s' here".formatted(name), "");
    }
  }

  /** Tells that owner and tags of something are not kept, where there are any. */
  void labelsLeft(String kind, String name, String owner, Map<String, String> tags) {
    String left =
        Stream.of(owner.isEmpty() ? "" : "owner", tags.isEmpty() ? "" : "tags")
            .filter(label -> !label.isEmpty())
            .collect(joining(" and "));
    if (!left.isEmpty()) {
      changed(kind, name, "the config has no place for its " + left, "");
    }
  }

  List<Finding> notTaken() {
    return List.copyOf(notTaken);
  }

  List<Finding> changed() {
    return List.copyOf(changed);
  }
}
