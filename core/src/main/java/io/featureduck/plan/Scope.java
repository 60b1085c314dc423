package io.featureduck.plan;

import io.featureduck.error.Nearest;
import io.featureduck.expression.Expression.Column;
import io.featureduck.type.FeatureType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The columns that an expression may name. A name is matched exactly, else without regard to case,
 * where that leaves one column.
 */
final class Scope {
  /** What the columns are of, for messages: {@code source 'orders'}. */
  private final String owner;

  /**
   * The view's own source, whose columns may be named with it or without; empty if there is none.
   */
  private final Optional<String> ownSource;

  private final Map<String, SourceSchema.Column> columns = new LinkedHashMap<>();
  private final Map<String, Map<String, SourceSchema.Column>> joined = new LinkedHashMap<>();
  private final Set<Column> used = new LinkedHashSet<>();
  private boolean usesAsOf;

  Scope(String owner, Optional<String> ownSource) {
    this.owner = owner;
    this.ownSource = ownSource;
  }

  void add(SourceSchema.Column column) {
    columns.put(column.name(), column);
  }

  void add(String name, FeatureType type) {
    add(new SourceSchema.Column(name, Optional.of(type), type.toString(), true));
  }

  void addJoined(String source, List<SourceSchema.Column> ofSource) {
    Map<String, SourceSchema.Column> byName = new LinkedHashMap<>();
    ofSource.forEach(column -> byName.put(column.name(), column));
    joined.put(source, byName);
  }

  /** Returns the columns that expressions have named. */
  Set<Column> used() {
    return used;
  }

  /** Counts a column as named. */
  void use(Column column) {
    used.add(column);
  }

  /** Notes that an expression depends on the run's instant. */
  void useAsOf() {
    usesAsOf = true;
  }

  /** Tells whether an expression depends on the run's instant. */
  boolean usesAsOf() {
    return usesAsOf;
  }

  /**
   * Finds what {@code asked} names.
   *
   * @throws TypeMistake where there is no such column, or its type is none of ours
   */
  Typed resolve(Column asked) {
    Optional<String> source = asked.source().filter(name -> !ownSource.equals(Optional.of(name)));
    Map<String, SourceSchema.Column> among = columns;
    if (source.isPresent()) {
      among = joined.get(source.get());
      if (among == null) {
        throw unknownSource(source.get(), asked.name());
      }
    }
    SourceSchema.Column found =
        find(asked.name(), among).orElseThrow(() -> unknownColumn(source, asked.name()));
    Column resolved = new Column(source, found.name());
    used.add(resolved);
    return new Typed(resolved, found.type().orElseThrow(() -> untyped(found)));
  }

  static TypeMistake untyped(SourceSchema.Column column) {
    String advice =
        column.engineType().toLowerCase(Locale.ROOT).startsWith("numeric")
            ? ": declare its digits on the source, \"columns\": {\"%s\": \"DECIMAL(12,2)\"}"
                .formatted(column.name())
            : ": no feature can be made of it";
    return new TypeMistake(
        "column '%s' is of type %s%s".formatted(column.name(), column.engineType(), advice));
  }

  private static Optional<SourceSchema.Column> find(
      String name, Map<String, SourceSchema.Column> among) {
    SourceSchema.Column exact = among.get(name);
    if (exact != null) {
      return Optional.of(exact);
    }
    List<SourceSchema.Column> alike =
        among.values().stream().filter(column -> column.name().equalsIgnoreCase(name)).toList();
    return alike.size() == 1 ? Optional.of(alike.getFirst()) : Optional.empty();
  }

  private TypeMistake unknownSource(String source, String column) {
    List<String> names = new ArrayList<>(joined.keySet());
    ownSource.ifPresent(names::add);
    return new TypeMistake(
        "'%s.%s': the view doesn't read a source '%s'%s"
            .formatted(source, column, source, Nearest.hint(source, names)));
  }

  private TypeMistake unknownColumn(Optional<String> source, String name) {
    if (source.isPresent()) {
      Map<String, SourceSchema.Column> among = joined.getOrDefault(source.get(), Map.of());
      return new TypeMistake(
          "source '%s' gives no column '%s'%s"
              .formatted(source.get(), name, Nearest.hint(name, among.keySet())));
    }
    for (Map.Entry<String, Map<String, SourceSchema.Column>> join : joined.entrySet()) {
      Optional<SourceSchema.Column> there = find(name, join.getValue());
      if (there.isPresent()) {
        return new TypeMistake(
            "%s has no column '%s'; did you mean '%s.%s'?"
                .formatted(owner, name, join.getKey(), there.get().name()));
      }
    }
    return new TypeMistake(
        "%s has no column '%s'%s".formatted(owner, name, Nearest.hint(name, columns.keySet())));
  }
}
