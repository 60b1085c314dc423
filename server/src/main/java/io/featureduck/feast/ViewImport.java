package io.featureduck.feast;

import static java.util.stream.Collectors.joining;

import io.featureduck.feast.FeastRepository.Field;
import io.featureduck.feast.FeastRepository.View;
import io.featureduck.type.FeatureType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Makes views: of each entity the newest row, and of that the features that Feast knows. */
final class ViewImport {
  static final String KIND = "feature view";
  static final String FEATURE = "feature";
  private static final Set<String> RESERVED = Set.of("entity_key", "event_timestamp", "updated_at");
  private static final int COLUMN_BYTES_MAX = 63;
  private static final long TTL_SECONDS_MAX = 36_500L * 24 * 3_600;

  /**
   * A view that was taken.
   *
   * @param json as the config has it
   * @param features the names of features here by those in Feast; empty where all columns of the
   *     source are features
   */
  record Taken(String feastName, ObjectNode json, Map<String, String> features) {
    String name() {
      return json.path("name").asString();
    }
  }

  private final EntityImport entities;
  private final SourceImport sources;
  private final Findings findings;

  ViewImport(EntityImport entities, SourceImport sources, Findings findings) {
    this.entities = entities;
    this.sources = sources;
    this.findings = findings;
  }

  /** Returns the views that could be taken, in the repository's order. */
  List<Taken> views(List<View> views) {
    Names names = new Names(views.stream().map(View::name).toList());
    List<Taken> taken = new ArrayList<>();
    for (View view : views) {
      Optional<String> name = names.of(view.name());
      Optional<Refusal> refusal =
          name.isEmpty()
              ? Optional.of(
                  new Refusal(names.refusal(view.name()), "give it another name in Feast"))
              : refusal(view);
      if (refusal.isPresent()) {
        findings.notTaken(KIND, view.name(), refusal.get().reason(), refusal.get().hint());
      } else {
        taken(view, name.orElseThrow()).ifPresent(taken::add);
      }
    }
    return taken;
  }

  private record Refusal(String reason, String hint) {}

  /** Returns why a view can't be had here, whatever its features are. */
  private Optional<Refusal> refusal(View view) {
    if (!view.sourceViews().isEmpty()) {
      return refusal(
          "it is derived from %s by Feast".formatted(String.join(", ", view.sourceViews())),
          "declare what it computes as a view of the source, with aggregations and projections");
    }
    if (view.transformed()) {
      return refusal(
          "Feast computes it by code or aggregations of its own",
          "declare what it computes as a view of its source, with aggregations and projections, or as sql");
    }
    if (!view.enabled()) {
      return refusal("it is disabled in Feast", "enable it there to take it");
    }
    if (!view.online()) {
      return refusal(
          "it is not online in Feast, and every view is served here",
          "set online=True there to take it");
    }
    if (view.source().isEmpty()) {
      return refusal("it has no source", "");
    }
    if (view.entities().stream().anyMatch(entity -> entity.startsWith("__dummy"))) {
      return refusal("it has no entity", "give its rows a join key that is the same in all");
    }
    Optional<SourceImport.Taken> source = sources.taken(view.source());
    if (source.isEmpty()) {
      return refusal("its source '%s' was not taken".formatted(view.source()), "");
    }
    for (String name : view.entities()) {
      Optional<EntityImport.Taken> entity = entities.taken(name);
      if (entity.isEmpty()) {
        return refusal("its entity '%s' was not taken".formatted(name), "");
      }
      Optional<Refusal> key = keyRefusal(view, entity.get(), source.get());
      if (key.isPresent()) {
        return key;
      }
    }
    if (view.features().isEmpty() && !source.get().source().fieldMapping().isEmpty()) {
      return refusal(
          "its features are not known, for its source could not be asked: "
              + view.inferenceFailure(),
          "give it a schema");
    }
    return Optional.empty();
  }

  private static Optional<Refusal> keyRefusal(
      View view, EntityImport.Taken entity, SourceImport.Taken source) {
    String column = source.source().column(entity.joinKey());
    if (!column.equals(entity.joinKey())) {
      return refusal(
          "its join key '%s' is the source's column '%s': a join key has the same name everywhere"
              .formatted(entity.joinKey(), column),
          "read a view of the database in which the column is called like the join key");
    }
    for (Field key : view.joinKeys()) {
      Optional<FeatureType> type = FeastTypes.joinKey(key.type());
      if (key.name().equals(entity.joinKey())
          && !type.equals(Optional.of(entity.type()))
          && !(isWhole(type) && isWhole(Optional.of(entity.type())))) {
        return refusal(
            "its join key '%s' is of type %s, and %s in other views"
                .formatted(key.name(), key.type(), entity.type()),
            "");
      }
    }
    return Optional.empty();
  }

  private static boolean isWhole(Optional<FeatureType> type) {
    return type.filter(
            known -> known == FeatureType.Primitive.INT32 || known == FeatureType.Primitive.INT64)
        .isPresent();
  }

  private static Optional<Refusal> refusal(String reason, String hint) {
    return Optional.of(new Refusal(reason, hint));
  }

  private Optional<Taken> taken(View view, String name) {
    SourceImport.Taken source = sources.taken(view.source()).orElseThrow();
    ObjectNode json = JsonNodeFactory.instance.objectNode().put("name", name);
    ArrayNode ofView = json.putArray("entities");
    view.entities().forEach(entity -> ofView.add(entities.taken(entity).orElseThrow().name()));
    json.put("source", source.name());
    ArrayNode projections = JsonNodeFactory.instance.arrayNode();
    Map<String, String> features = projections(view, source, projections);
    if (!view.features().isEmpty() && features.isEmpty()) {
      findings.notTaken(KIND, view.name(), "none of its features was taken", "");
      return Optional.empty();
    }
    if (!features.isEmpty()) {
      json.set("projections", projections);
    }
    ttl(view).ifPresent(ttl -> json.put("ttl", ttl));
    putText(json, "description", view.description());
    putText(json, "owner", view.owner());
    if (!view.tags().isEmpty()) {
      ObjectNode tags = json.putObject("tags");
      view.tags().forEach((key, value) -> tags.put(key, SettingText.literal(value)));
    }
    findings.renamed(KIND, view.name(), name);
    tellLeft(view);
    return Optional.of(new Taken(view.name(), json, features));
  }

  private static void putText(ObjectNode json, String key, String text) {
    if (!text.isEmpty()) {
      json.put(key, SettingText.literal(text));
    }
  }

  /** Makes the projections of a view, and returns the names of its features by those in Feast. */
  private Map<String, String> projections(
      View view, SourceImport.Taken source, ArrayNode projections) {
    Map<String, String> features = new LinkedHashMap<>();
    Set<String> folded = new HashSet<>();
    // A name that is the column's own is free of the rule; others must not take it.
    for (Field feature : view.features()) {
      if (source.source().column(feature.name()).equals(feature.name())) {
        folded.add(feature.name().toLowerCase(Locale.ROOT));
      }
    }
    for (Field feature : view.features()) {
      String column = source.source().column(feature.name());
      boolean ownName = column.equals(feature.name());
      String name = ownName ? column : Names.converted(feature.name());
      Optional<Refusal> refusal = featureRefusal(feature, name, ownName, folded);
      if (refusal.isPresent()) {
        findings.notTaken(
            FEATURE,
            view.name() + ":" + feature.name(),
            refusal.get().reason(),
            refusal.get().hint());
        continue;
      }
      ObjectNode projection = projections.addObject().put("column", SettingText.literal(column));
      if (!ownName) {
        folded.add(name);
        if (!name.equals(column)) {
          projection.put("alias", name);
        }
        findings.renamed(FEATURE, view.name() + ":" + feature.name(), name);
      }
      if (!FeastTypes.isOfColumn(feature.type())) {
        projection.put("type", FeastTypes.feature(feature.type()).orElseThrow().toString());
      } else if (feature.type().equals("DECIMAL")) {
        findings.changed(
            FEATURE,
            view.name() + ":" + feature.name(),
            "a Decimal is a number here, with the digits of its column",
            "declare others by a \"type\": DECIMAL(12,2)");
      }
      features.put(feature.name(), name);
    }
    return features;
  }

  private static Optional<Refusal> featureRefusal(
      Field feature, String name, boolean ownName, Set<String> folded) {
    if (!FeastTypes.isOfColumn(feature.type()) && FeastTypes.feature(feature.type()).isEmpty()) {
      return refusal(
          "there is no type here for %s".formatted(feature.type()),
          "make it columns of their own, or JSON");
    }
    if (RESERVED.contains(name.toLowerCase(Locale.ROOT))) {
      return refusal(
          "no feature can be called '%s' here".formatted(name),
          "give the column an \"alias\" in the view's projections");
    }
    if (ownName
        ? name.getBytes(StandardCharsets.UTF_8).length > COLUMN_BYTES_MAX
        : !Names.isName(name)) {
      return refusal(
          "its name is too long, or can't be made one of ours", "give it another name in Feast");
    }
    if (!ownName && folded.contains(name)) {
      return refusal(
          "its name would be '%s' here, as that of another".formatted(name),
          "give it another name in Feast");
    }
    return Optional.empty();
  }

  private Optional<String> ttl(View view) {
    long seconds = (long) Math.ceil(view.ttlSeconds());
    if (seconds > TTL_SECONDS_MAX) {
      findings.changed(KIND, view.name(), "its ttl is of more than 36500 days, so it has none", "");
      return Optional.empty();
    }
    return seconds <= 0 ? Optional.empty() : Optional.of(duration(seconds));
  }

  private static String duration(long seconds) {
    if (seconds % 86_400 == 0) {
      return seconds / 86_400 + "d";
    }
    if (seconds % 3_600 == 0) {
      return seconds / 3_600 + "h";
    }
    return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
  }

  private void tellLeft(View view) {
    if (view.features().isEmpty()) {
      findings.changed(
          KIND,
          view.name(),
          "its features are all columns of its source, which could not be asked: "
              + view.inferenceFailure(),
          "");
    }
    if (!view.streamSource().isEmpty()) {
      findings.changed(
          KIND,
          view.name(),
          "it is computed from the batch source of '%s' alone".formatted(view.streamSource()),
          "");
    }
    if (!view.version().isEmpty() && !view.version().equals("latest")) {
      findings.changed(
          KIND,
          view.name(),
          "it is taken as it is defined now, not as version %s".formatted(view.version()),
          "");
    }
    if (!view.org().isEmpty()) {
      findings.changed(KIND, view.name(), "the config has no place for its org", "");
    }
    tellFields(view, "no place for descriptions and tags of features: ", Field::described);
    tellFields(view, "no vector index, of ", Field::vectorIndex);
  }

  private void tellFields(View view, String what, Predicate<Field> applies) {
    String fields =
        view.features().stream().filter(applies).map(Field::name).collect(joining(", "));
    if (!fields.isEmpty()) {
      findings.changed(KIND, view.name(), "the config has " + what + fields, "");
    }
  }
}
