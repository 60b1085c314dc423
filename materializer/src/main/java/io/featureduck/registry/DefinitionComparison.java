package io.featureduck.registry;

import io.featureduck.definition.JoinKey;
import io.featureduck.expression.Expression;
import io.featureduck.expression.ExpressionParser;
import io.featureduck.expression.ExpressionSyntaxException;
import io.featureduck.plan.Feature;
import io.featureduck.registry.DefinitionChange.Remade;
import io.featureduck.registry.DefinitionChange.Setting;
import io.featureduck.type.FeatureType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The work of {@link DefinitionChange#between}. */
/* A feature is made by an aggregation with one window, by a projection, or by a column. So each
 * definition becomes a map from the features' names to how they are made, and a name that both have
 * must be made alike: moving a window to an aggregation of its own changes nothing. Expressions are
 * compared as they are read, not as they are written.
 *
 * Whether there are aggregations at all, or projections, decides what the rows are. So coming from
 * none to some is no mere addition, even if each old feature could still be had.
 */
final class DefinitionComparison {
  private static final JsonMapper JSON = new JsonMapper();

  private static final Set<String> SETTINGS =
      Set.of(
          "ttl",
          "batch_schedule",
          "full_refresh_schedule",
          "timezone",
          "freshness",
          "cache",
          "description",
          "owner",
          "tags");

  /** The view's name is the same, and of the others each feature is compared by itself. */
  private static final Set<String> NOT_AS_A_WHOLE = Set.of("name", "aggregations", "projections");

  /** How a feature is made that the definition doesn't name: it is a column of the newest row. */
  private static final JsonNode COLUMN = JSON.createObjectNode();

  /** Keys of an aggregation or projection that make names. */
  private static final Set<String> NAMES = Set.of("alias", "windows");

  // A database may write a number as it likes.
  private static final Comparator<JsonNode> BY_VALUE =
      (left, right) ->
          left.isNumber() && right.isNumber()
              ? left.decimalValue().compareTo(right.decimalValue())
              : left.equals(right) ? 0 : 1;

  private final ViewDefinition before;
  private final ViewDefinition after;
  private final JsonNode treeBefore;
  private final JsonNode treeAfter;
  private final List<Setting> settings = new ArrayList<>();
  private final List<Remade> remade = new ArrayList<>();

  DefinitionComparison(ViewDefinition before, ViewDefinition after) {
    this.before = before;
    this.after = after;
    this.treeBefore = before.tree();
    this.treeAfter = after.tree();
  }

  DefinitionChange change() {
    compareJoinKeys();
    // Of a migrated view nothing is known but its table.
    boolean declaredNow = before.isMigrated() && !after.isMigrated();
    for (String name : names(treeBefore, treeAfter)) {
      if (SETTINGS.contains(name) || name.equals(ViewDefinition.MIGRATED_FROM)) {
        compareSetting(name, treeBefore.path(name), treeAfter.path(name));
      } else if (!NOT_AS_A_WHOLE.contains(name) && (!declaredNow || name.equals("storage"))) {
        compare(name, treeBefore.path(name), treeAfter.path(name));
      }
    }
    compareFeatures(!declaredNow);
    List<Feature> added = without(after.features(), before.features());
    List<Feature> dropped = without(before.features(), after.features());
    if (settings.isEmpty()
        && added.isEmpty()
        && dropped.isEmpty()
        && remade.isEmpty()
        && !same(treeBefore, treeAfter)) {
      settings.add(
          new Setting("spelling", Optional.of("another one"), Optional.of("the config's")));
    }
    return new DefinitionChange(settings, added, dropped, remade);
  }

  private static List<Feature> without(List<Feature> features, List<Feature> others) {
    Set<String> names = new HashSet<>();
    others.forEach(other -> names.add(other.name()));
    return features.stream().filter(feature -> !names.contains(feature.name())).toList();
  }

  private void compareJoinKeys() {
    // Whoever migrated the rows may have had to guess what the keys are called.
    boolean same =
        before.isMigrated()
            ? types(before.joinKeys()).equals(types(after.joinKeys()))
            : before.joinKeys().equals(after.joinKeys());
    if (!same) {
      remade.add(new Remade("join keys", joinKeys(before), joinKeys(after)));
    }
  }

  private static List<FeatureType> types(List<JoinKey> joinKeys) {
    return joinKeys.stream().map(JoinKey::type).toList();
  }

  private static Optional<String> joinKeys(ViewDefinition definition) {
    return Optional.of(
        String.join(
            ", ",
            definition.joinKeys().stream().map(key -> key.name() + " " + key.type()).toList()));
  }

  /** Compares a setting; of an object each key for itself. */
  private void compareSetting(String name, JsonNode left, JsonNode right) {
    if (same(left, right)) {
      return;
    }
    if (left.isObject() || right.isObject()) {
      for (String key : names(left, right)) {
        compareSetting(name + "." + key, left.path(key), right.path(key));
      }
    } else {
      settings.add(new Setting(name, shown(left), shown(right)));
    }
  }

  private void compare(String name, JsonNode left, JsonNode right) {
    boolean same =
        switch (name) {
          // They are joined by AND.
          case "filters" -> new HashSet<>(meanings(left)).equals(new HashSet<>(meanings(right)));
          case "joins" -> withTypes(left).equals(withTypes(right));
          case "storage" -> before.storage() == after.storage();
          default -> same(left, right) || (isAbsent(left) && isAbsent(right));
        };
    if (!same) {
      remade.add(new Remade(name, shown(left), shown(right)));
    }
  }

  /**
   * @param knowHow whether it is known how the features were made
   */
  private void compareFeatures(boolean knowHow) {
    String rowsBefore = rows(treeBefore);
    String rowsAfter = rows(treeAfter);
    boolean sameRows = knowHow && rowsBefore.equals(rowsAfter);
    if (knowHow && !sameRows) {
      remade.add(new Remade("rows", Optional.of(rowsBefore), Optional.of(rowsAfter)));
    }
    Map<String, JsonNode> makersBefore = makers(treeBefore);
    Map<String, JsonNode> makersAfter = makers(treeAfter);
    List<String> keptBefore = new ArrayList<>();
    for (Feature feature : before.features()) {
      Optional<Feature> now =
          after.features().stream().filter(f -> f.name().equals(feature.name())).findFirst();
      if (now.isPresent()) {
        keptBefore.add(feature.name());
        compareType(feature, now.get());
        if (sameRows) {
          compareMakers(
              feature.name(),
              makersBefore.getOrDefault(feature.name(), COLUMN),
              makersAfter.getOrDefault(feature.name(), COLUMN));
        }
      }
    }
    List<String> keptAfter =
        after.features().stream().map(Feature::name).filter(keptBefore::contains).toList();
    if (!keptBefore.equals(keptAfter)) {
      settings.add(
          new Setting(
              "order of features",
              Optional.of(String.join(", ", keptBefore)),
              Optional.of(String.join(", ", keptAfter))));
    }
  }

  private void compareType(Feature feature, Feature now) {
    if (!feature.type().equals(now.type())) {
      remade.add(
          new Remade(
              "feature %s: type".formatted(feature.name()),
              Optional.of(feature.type().toString()),
              Optional.of(now.type().toString())));
    }
  }

  /** Returns joins with what a join is where it says nothing. */
  private static List<JsonNode> withTypes(JsonNode joins) {
    List<JsonNode> complete = new ArrayList<>();
    for (JsonNode join : joins) {
      complete.add(
          join instanceof ObjectNode object && !join.has("type")
              ? object.deepCopy().put("type", "left")
              : join);
    }
    return complete;
  }

  private void compareMakers(String feature, JsonNode left, JsonNode right) {
    boolean sameInput = input(left, treeBefore).equals(input(right, treeAfter));
    for (String key : names(left, right)) {
      boolean same =
          switch (key) {
            case "column", "expression" -> sameInput;
            case "filter" -> meaning(left.path(key)).equals(meaning(right.path(key)));
            case "type" -> type(left.path(key)).equals(type(right.path(key)));
            default -> same(left.path(key), right.path(key));
          };
      if (!same) {
        remade.add(
            new Remade(
                "feature %s: %s".formatted(feature, key),
                shown(left.path(key)),
                shown(right.path(key))));
      }
    }
  }

  /** Says what the rows of a view are, apart from filters and joins. */
  private static String rows(JsonNode view) {
    if (view.has("sql")) {
      return "of its sql";
    }
    if (!view.path("aggregations").isEmpty()) {
      return "aggregated";
    }
    return view.path("projections").isEmpty() ? "the newest, all columns" : "the newest, projected";
  }

  /**
   * Returns how each feature is made that the definition names: its aggregation or projection
   * without its names, and with the one window.
   */
  private static Map<String, JsonNode> makers(JsonNode view) {
    Map<String, JsonNode> makers = new HashMap<>();
    for (JsonNode aggregation : view.path("aggregations")) {
      String alias = aggregation.path("alias").asString("");
      if (aggregation.path("windows").isEmpty()) {
        makers.put(alias, maker(aggregation));
      }
      for (JsonNode window : aggregation.path("windows")) {
        makers.put(
            alias + "_" + window.asString(), maker(aggregation).put("window", window.asString()));
      }
    }
    for (JsonNode projection : view.path("projections")) {
      makers.put(name(projection, view), maker(projection));
    }
    return makers;
  }

  private static ObjectNode maker(JsonNode item) {
    ObjectNode maker = JSON.createObjectNode();
    for (Map.Entry<String, JsonNode> property : item.properties()) {
      if (!NAMES.contains(property.getKey())) {
        maker.set(property.getKey(), property.getValue());
      }
    }
    return maker;
  }

  /** Returns the feature that a projection makes: a plain column needs no alias. */
  private static String name(JsonNode projection, JsonNode view) {
    if (projection.has("alias")) {
      return projection.path("alias").asString();
    }
    if (meaning(projection.path("expression")) instanceof Expression.Column column) {
      return column.name();
    }
    String column = projection.path("column").asString("");
    for (JsonNode join : view.path("joins")) {
      String prefix = join.path("source").asString("") + ".";
      if (column.startsWith(prefix)) {
        return column.substring(prefix.length());
      }
    }
    return column;
  }

  private static List<Object> meanings(JsonNode texts) {
    return texts.valueStream().map(DefinitionComparison::meaning).toList();
  }

  /** Returns the expression that a text is; the text itself where it is none, or is not there. */
  private static Object meaning(JsonNode text) {
    if (!text.isString()) {
      return text.toString();
    }
    try {
      return ExpressionParser.parse(text.asString());
    } catch (ExpressionSyntaxException e) {
      // It was one for the FeatureDuck that took it.
      return text.asString();
    }
  }

  /**
   * Returns what an aggregation or a projection is made of: a column is an expression that can be
   * written shorter.
   */
  private static Object input(JsonNode maker, JsonNode view) {
    if (!maker.path("column").isString()) {
      return meaning(maker.path("expression"));
    }
    String column = maker.path("column").asString();
    for (JsonNode join : view.path("joins")) {
      String prefix = join.path("source").asString("") + ".";
      if (column.startsWith(prefix)) {
        return new Expression.Column(
            Optional.of(join.path("source").asString()), column.substring(prefix.length()));
      }
    }
    return new Expression.Column(Optional.empty(), column);
  }

  /** Returns the type that a text is; the text itself where it is none, or is not there. */
  private static Object type(JsonNode text) {
    return FeatureType.parse(text.asString("")).<Object>map(type -> type).orElseGet(text::toString);
  }

  private static Set<String> names(JsonNode left, JsonNode right) {
    Set<String> names = new TreeSet<>(left.propertyNames());
    names.addAll(right.propertyNames());
    return names;
  }

  private static boolean isAbsent(JsonNode node) {
    return node.isMissingNode() || (node.isContainer() && node.isEmpty());
  }

  private static boolean same(JsonNode left, JsonNode right) {
    return left.equals(BY_VALUE, right);
  }

  private static Optional<String> shown(JsonNode node) {
    return isAbsent(node) ? Optional.empty() : Optional.of(node.toString());
  }
}
