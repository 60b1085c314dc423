package io.featureduck.definition;

import java.util.List;

/** Something that has features: a customer, a merchant, a pair of both. At least one join key. */
public record Entity(String name, List<JoinKey> joinKeys, String description) {
  public Entity {
    joinKeys = List.copyOf(joinKeys);
    if (joinKeys.isEmpty()) {
      throw new IllegalArgumentException("entity %s has no join key".formatted(name));
    }
  }
}
