package io.featureduck.config;

import io.featureduck.definition.Aggregation;
import io.featureduck.definition.Aggregation.Function;
import io.featureduck.definition.Entity;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.FeatureView.Freshness;
import io.featureduck.definition.Join;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Projection;
import io.featureduck.definition.Storage;
import io.featureduck.definition.Window;
import io.featureduck.expression.Expression;
import io.featureduck.type.FeatureType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads views. */
final class ViewReader {
  /** Columns of every online table, which features stand beside. */
  private static final Set<String> RESERVED = Set.of("entity_key", "event_timestamp", "updated_at");

  /** The path below which the server answers; a view of that name couldn't be asked. */
  private static final String RESERVED_VIEW = "features";

  /** A Postgres table has at most 1,600 columns. */
  private static final int FEATURES_MAX = 1_500;

  private static final List<String> PLAN_KEYS = List.of("filters", "aggregations", "projections");

  private final References entities;
  private final References sources;
  private final Map<String, Entity> entityByName;
  private final Duration cacheMaxAge;
  private final CronText cron = new CronText();
  private final Set<String> partlyRead = new HashSet<>();

  /**
   * @param entityByName the entities that could be read
   * @param cacheMaxAge of views that don't say so themselves
   */
  ViewReader(
      References entities,
      References sources,
      Map<String, Entity> entityByName,
      Duration cacheMaxAge) {
    this.entities = entities;
    this.sources = sources;
    this.entityByName = entityByName;
    this.cacheMaxAge = cacheMaxAge;
  }

  FeatureView read(Node view) {
    String name = view.name("name");
    if (name.equals(RESERVED_VIEW)) {
      view.child("name").mistake("no view can be called 'features': that is a path of the server");
    }
    List<Entity> ofView = entities(view);
    sources.check(view.child("source"));
    List<Join> joins = joins(view);
    Set<String> joined = new HashSet<>();
    joins.forEach(join -> joined.add(join.source()));
    if (view.has("sql")) {
      for (String key : PLAN_KEYS) {
        if (view.has(key)) {
          view.child(key).mistake("a view has either 'sql' or '%s'".formatted(key));
        }
      }
    }
    List<Expression> filters = view.items("filters").stream().map(Node::expression).toList();
    FeatureNames names = new FeatureNames(view, ofView);
    List<Aggregation> aggregations = new ArrayList<>();
    for (Node node : view.items("aggregations")) {
      aggregation(node, joined, names)
          .ifPresentOrElse(aggregations::add, () -> partlyRead.add(name));
    }
    List<Projection> projections = new ArrayList<>();
    for (Node node : view.items("projections")) {
      projection(node, joined, names).ifPresentOrElse(projections::add, () -> partlyRead.add(name));
    }
    return new FeatureView(
        name,
        ofView,
        view.text("source", ""),
        joins,
        filters,
        aggregations,
        projections,
        view.text("sql"),
        view.duration("ttl"),
        schedule(view, "batch_schedule"),
        schedule(view, "full_refresh_schedule"),
        view.zone("timezone"),
        freshness(view),
        view.text("storage").filter(Storage.JSONB.id()::equals).isPresent()
            ? Storage.JSONB
            : Storage.TYPED,
        view.child("cache").durationOrZero("max_age", cacheMaxAge),
        view.text("description", ""),
        view.text("owner", ""),
        tags(view),
        view.canonical());
  }

  /** Tells whether a mistake hides features of a view, so that others may rightly name more. */
  boolean isPartlyRead(String view) {
    return partlyRead.contains(view);
  }

  private List<Entity> entities(Node view) {
    List<Entity> ofView = new ArrayList<>();
    Map<String, String> joinKeys = new HashMap<>();
    for (Node node : view.items("entities")) {
      entities.check(node);
      Entity entity = node.text().map(entityByName::get).orElse(null);
      if (entity == null) {
        continue;
      }
      if (ofView.contains(entity)) {
        node.mistake("entity %s is there twice".formatted(node.shown()));
        continue;
      }
      for (JoinKey key : entity.joinKeys()) {
        String other = joinKeys.putIfAbsent(key.name(), entity.name());
        if (other != null) {
          node.mistake(
              "entities %s and %s both have the join key %s"
                  .formatted(Node.quoted(other), node.shown(), Node.quoted(key.name())));
        }
      }
      ofView.add(entity);
    }
    return ofView;
  }

  private List<Join> joins(Node view) {
    List<Join> joins = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    view.text("source").ifPresent(seen::add);
    for (Node node : view.items("joins")) {
      Node source = node.child("source");
      sources.check(source);
      String name = source.text().orElse("");
      if (source.text().isPresent() && !seen.add(name)) {
        source.mistake(
            "source %s is already in this view: declare it once more under another name"
                .formatted(source.shown()));
      }
      List<Join.On> on = new ArrayList<>();
      for (Node pair : node.items("on")) {
        on.add(
            new Join.On(pair.identifier("left").orElse(""), pair.identifier("right").orElse("")));
      }
      List<String> columns =
          node.items("columns").stream().flatMap(column -> column.identifier().stream()).toList();
      Join.Type type = node.text("type", "left").equals("inner") ? Join.Type.INNER : Join.Type.LEFT;
      if (!on.isEmpty()) {
        joins.add(new Join(name, type, on, columns));
      }
    }
    return joins;
  }

  private Optional<Aggregation> aggregation(Node node, Set<String> joined, FeatureNames names) {
    Optional<Expression> input = input(node, joined);
    Optional<Expression> filter =
        node.child("filter").text().map(text -> node.child("filter").expression());
    Optional<FeatureType> type = node.child("type").type();
    List<Window> windows = windows(node);
    String alias = node.text("alias", "");
    names.add(node.child("alias"), featureNames(alias, windows), Optional.empty());

    Optional<Function> known = function(node);
    if (known.isEmpty()) {
      return Optional.empty();
    }
    Function function = known.get();
    boolean complete = true;
    if (function != Function.COUNT && input.isEmpty()) {
      if (node.lacks("column") && node.lacks("expression")) {
        node.mistake("%s needs a 'column' or an 'expression'".formatted(function.id()));
      }
      complete = false;
    }
    complete &= belongs(node, "n", function == Function.LAST_N, "last_n");
    complete &=
        belongs(node, "percentile", function == Function.APPROX_PERCENTILE, "approx_percentile");
    Optional<Integer> n = node.integer("n");
    Optional<Double> percentile = node.number("percentile");
    if (!complete
        || n.isPresent() != (function == Function.LAST_N)
        || percentile.isPresent() != (function == Function.APPROX_PERCENTILE)) {
      return Optional.empty();
    }
    return Optional.of(
        new Aggregation(function, input, alias, windows, filter, n, percentile, type));
  }

  private static Optional<Function> function(Node node) {
    String id = node.text("function", "");
    for (Function function : Function.values()) {
      if (function.id().equals(id)) {
        return Optional.of(function);
      }
    }
    return Optional.empty();
  }

  /** Notes an argument that is missing, or is there with a function that doesn't take it. */
  private static boolean belongs(Node node, String key, boolean needed, String function) {
    if (needed && node.lacks(key)) {
      node.mistake("'%s' is missing: %s needs it".formatted(key, function));
      return false;
    }
    if (!needed && node.has(key)) {
      node.child(key).mistake("only %s takes '%s'".formatted(function, key));
      return false;
    }
    return true;
  }

  private static List<String> featureNames(String alias, List<Window> windows) {
    return windows.isEmpty()
        ? List.of(alias)
        : windows.stream().map(window -> alias + "_" + window.text()).toList();
  }

  private static List<Window> windows(Node aggregation) {
    List<Window> windows = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (Node node : aggregation.items("windows")) {
      String text = node.text().orElse("");
      Optional<Duration> length = node.window();
      if (length.isPresent() && !seen.add(text)) {
        node.mistake("window %s is there twice".formatted(node.shown()));
      } else {
        length.ifPresent(window -> windows.add(new Window(text, window)));
      }
    }
    return windows;
  }

  private static Optional<Projection> projection(
      Node node, Set<String> joined, FeatureNames names) {
    Optional<Expression> input = input(node, joined);
    Optional<FeatureType> type = node.child("type").type();
    if (input.isEmpty()) {
      if (node.lacks("column") && node.lacks("expression")) {
        node.mistake("a projection needs a 'column' or an 'expression'");
      }
      return Optional.empty();
    }
    Optional<String> column =
        input.get() instanceof Expression.Column plain
            ? Optional.of(plain.name())
            : Optional.empty();
    Optional<String> alias = node.text("alias");
    if (alias.isEmpty() && column.isEmpty()) {
      if (node.lacks("alias") && !(input.get() instanceof Expression.NullLiteral)) {
        node.mistake("'alias' is missing: only a plain column is a feature under its own name");
      }
      return Optional.empty();
    }
    String name = alias.orElseGet(column::orElseThrow);
    names.add(alias.isPresent() ? node.child("alias") : node, List.of(name), column);
    return Optional.of(new Projection(input.get(), name, type));
  }

  /** Returns what {@code column} or {@code expression} say, of which one may be there. */
  private static Optional<Expression> input(Node node, Set<String> joined) {
    Node expression = node.child("expression");
    Optional<Expression> parsed = expression.text().map(text -> expression.expression());
    Optional<Expression> column = node.identifier("column").map(name -> column(name, joined));
    if (node.has("column") && node.has("expression")) {
      expression.mistake("there is a 'column', too: leave out one of them");
    }
    return column.or(() -> parsed);
  }

  /** Returns a column by its literal name, or of a joined source as {@code <source>.<column>}. */
  private static Expression column(String name, Set<String> joined) {
    int dot = name.indexOf('.');
    return dot > 0 && dot < name.length() - 1 && joined.contains(name.substring(0, dot))
        ? new Expression.Column(Optional.of(name.substring(0, dot)), name.substring(dot + 1))
        : new Expression.Column(Optional.empty(), name);
  }

  private Optional<String> schedule(Node view, String key) {
    Node node = view.child(key);
    Optional<String> text = node.text();
    text.flatMap(cron::mistake)
        .ifPresent(wrong -> node.mistake("%s is no schedule: %s".formatted(node.shown(), wrong)));
    return text;
  }

  private static Optional<Freshness> freshness(Node view) {
    Node node = view.child("freshness");
    Optional<Duration> warn = node.duration("warn");
    Optional<Duration> error = node.duration("error");
    if (warn.isEmpty() || error.isEmpty()) {
      return Optional.empty();
    }
    if (error.get().compareTo(warn.get()) < 0) {
      Node shorter = node.child("error");
      shorter.mistake(
          "%s must not be shorter than warn, %s"
              .formatted(shorter.shown(), node.child("warn").shown()));
      return Optional.empty();
    }
    return Optional.of(new Freshness(warn.get(), error.get()));
  }

  private static Map<String, String> tags(Node view) {
    Map<String, String> tags = new HashMap<>();
    view.entries("tags")
        .forEach((name, node) -> node.text().ifPresent(text -> tags.put(name, text)));
    return tags;
  }

  /** The names of one view's features so far. */
  private static final class FeatureNames {
    private final Node view;
    private final Set<String> joinKeys = new HashSet<>();
    private final Map<String, Node> makers = new HashMap<>();
    private boolean tooMany;

    FeatureNames(Node view, List<Entity> entities) {
      this.view = view;
      for (Entity entity : entities) {
        entity.joinKeys().forEach(key -> joinKeys.add(key.name()));
      }
    }

    /**
     * Adds the features that one aggregation or projection makes, noting at most one mistake.
     *
     * @param column whose name a feature may carry though it breaks the rule for names
     */
    void add(Node maker, List<String> names, Optional<String> column) {
      for (String name : names) {
        if (!name.isEmpty() && !accept(maker, name, column)) {
          return;
        }
      }
    }

    private boolean accept(Node maker, String name, Optional<String> column) {
      boolean ofColumn = column.filter(name::equals).isPresent() && Node.fitsIdentifier(name);
      String shown = Node.quoted(name);
      if (!Node.isName(name) && !ofColumn) {
        maker.notAName(shown);
        return false;
      }
      String folded = name.toLowerCase(Locale.ROOT);
      if (RESERVED.contains(folded)) {
        maker.mistake(
            "no feature can be called %s: every online table has that column".formatted(shown));
        return false;
      }
      if (joinKeys.contains(name)) {
        maker.mistake("no feature can have the name of the join key %s".formatted(shown));
        return false;
      }
      // DuckDB folds case, so two names that differ in nothing else would be one there.
      Node other = makers.putIfAbsent(folded, maker);
      if (other != null) {
        maker.mistake(
            "the view has a feature %s already, from %s".formatted(shown, other.pointer()));
        return false;
      }
      if (makers.size() > FEATURES_MAX && !tooMany) {
        tooMany = true;
        view.mistake("a view has at most %d features".formatted(FEATURES_MAX));
      }
      return true;
    }
  }
}
