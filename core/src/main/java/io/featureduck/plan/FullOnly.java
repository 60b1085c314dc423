package io.featureduck.plan;

import io.featureduck.definition.Source;
import io.featureduck.expression.Expression.Column;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Tells which views can only be computed in full, since their sources' cursors don't tell enough.
 */
final class FullOnly {
  private final Map<String, SourceSchema> schemas;

  /**
   * @param schemas of the sources as they were found
   */
  FullOnly(Map<String, SourceSchema> schemas) {
    this.schemas = schemas;
  }

  /** Returns why a view's changes can't be told, in words; empty if they can. */
  String reasons(SourceRows own, List<Column> keys, List<JoinedRows> joins, boolean dependsOnNow) {
    List<String> reasons = new ArrayList<>();
    if (!own.source().incremental()) {
      reasons.add("source '%s' is not incremental".formatted(own.source().name()));
    }
    if (dependsOnNow) {
      reasons.add("it uses now(), so every row may change with time");
    }
    addConverted(own, keys, reasons);
    for (JoinedRows joined : joins) {
      Source source = joined.right().source();
      if (!source.incremental() && !source.isStatic()) {
        reasons.add(
            "joined source '%s' is neither incremental nor static".formatted(source.name()));
      }
      if (joined.on().stream().anyMatch(pair -> !joined.isKey(pair))) {
        reasons.add("it joins '%s' on a column that no join key could be".formatted(source.name()));
      }
      addConverted(own, joined.on().stream().map(LogicalPlan.Join.On::left).toList(), reasons);
      addConverted(joined.right(), joined.rightKeys(), reasons);
    }
    return String.join("; ", new LinkedHashSet<>(reasons));
  }

  /** A server looks rows up by what a column holds, not by what is made of it here. */
  private void addConverted(SourceRows rows, List<Column> keys, List<String> reasons) {
    SourceSchema found = schemas.getOrDefault(rows.source().name(), rows.schema());
    for (Column key : keys) {
      Optional<FeatureType> declared = type(rows.schema(), key);
      Optional<FeatureType> held = type(found, key);
      // A whole number is looked up alike in any type: MySQL's BIGINT UNSIGNED as an INT64.
      boolean whole =
          held.filter(FullOnly::isWholeNumber).isPresent()
              && declared.filter(FullOnly::isWholeNumber).isPresent();
      if (!whole && !held.equals(declared)) {
        reasons.add(converted(rows, key, "it is looked up by"));
      }
    }
    for (Column time : List.of(rows.eventTime(), rows.cursor())) {
      Optional<FeatureType> type = type(found, time);
      if (!type.equals(Optional.of(Primitive.TIMESTAMP))
          && !type.equals(Optional.of(Primitive.DATE))) {
        reasons.add(converted(rows, time, "its changes are told by"));
      }
    }
  }

  private static boolean isWholeNumber(FeatureType type) {
    return Typed.isWhole(type)
        || (type instanceof FeatureType.Decimal decimal && decimal.scale() == 0);
  }

  private static Optional<FeatureType> type(SourceSchema schema, Column column) {
    return schema.column(column.name()).flatMap(SourceSchema.Column::type);
  }

  private static String converted(SourceRows rows, Column column, String role) {
    return "source '%s' declares another type for '%s', which %s"
        .formatted(rows.source().name(), column.name(), role);
  }
}
