package io.featureduck.feast;

import io.featureduck.feast.FeastRepository.Entity;
import io.featureduck.feast.FeastRepository.Field;
import io.featureduck.feast.FeastRepository.View;
import io.featureduck.type.FeatureType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;

/** Makes entities. Feast's have one join key, whose type it may leave to the views. */
final class EntityImport {
  private static final String KIND = "entity";

  /**
   * An entity that was taken.
   *
   * @param name in the config
   */
  record Taken(String name, String joinKey, FeatureType type) {}

  private final Findings findings;
  private final Map<String, Taken> taken = new HashMap<>();

  EntityImport(Findings findings) {
    this.findings = findings;
  }

  /** Adds the repository's entities to {@code config}. */
  void addTo(ArrayNode config, FeastRepository repository) {
    List<Entity> entities =
        repository.entities().stream().filter(entity -> !entity.isDummy()).toList();
    Names names = new Names(entities.stream().map(Entity::name).toList());
    for (Entity entity : entities) {
      Optional<String> name = names.of(entity.name());
      Optional<FeatureType> type = type(entity, repository.views());
      if (name.isEmpty()) {
        findings.notTaken(
            KIND, entity.name(), names.refusal(entity.name()), "give it another name in Feast");
      } else if (type.isPresent()) {
        add(config, entity, name.get(), type.get());
      }
    }
  }

  /** Returns an entity that was taken, by its name in Feast. */
  Optional<Taken> taken(String feastName) {
    return Optional.ofNullable(taken.get(feastName));
  }

  private void add(ArrayNode config, Entity entity, String name, FeatureType type) {
    var node = config.addObject().put("name", name);
    node.putArray("join_keys")
        .addObject()
        .put("name", SettingText.literal(entity.joinKey()))
        .put("type", type.toString());
    if (!entity.description().isEmpty()) {
      node.put("description", SettingText.literal(entity.description()));
    }
    taken.put(entity.name(), new Taken(name, entity.joinKey(), type));
    findings.renamed(KIND, entity.name(), name);
    findings.labelsLeft(KIND, entity.name(), entity.owner(), entity.tags());
  }

  /** Returns the type of the join key; where there is none, why is told. */
  private Optional<FeatureType> type(Entity entity, List<View> views) {
    List<View> its =
        views.stream().filter(view -> view.entities().contains(entity.name())).toList();
    String type = entity.type();
    if (type.equals("UNKNOWN")) {
      type =
          its.stream()
              .flatMap(view -> view.joinKeys().stream())
              .filter(key -> key.name().equals(entity.joinKey()))
              .map(Field::type)
              .findFirst()
              .orElse("UNKNOWN");
    }
    if (type.equals("UNKNOWN")) {
      String failure =
          its.stream()
              .map(View::inferenceFailure)
              .filter(text -> !text.isEmpty())
              .findFirst()
              .map(text -> ", and its source could not be asked: " + text)
              .orElse("");
      findings.notTaken(
          KIND,
          entity.name(),
          "nothing says what type its join key '%s' has%s".formatted(entity.joinKey(), failure),
          "give the entity a value_type");
      return Optional.empty();
    }
    Optional<FeatureType> ours = FeastTypes.joinKey(type);
    if (ours.isEmpty()) {
      findings.notTaken(
          KIND,
          entity.name(),
          "its join key '%s' is of type %s".formatted(entity.joinKey(), type),
          "a join key is INT32, INT64, STRING or BOOL");
    }
    return ours;
  }
}
