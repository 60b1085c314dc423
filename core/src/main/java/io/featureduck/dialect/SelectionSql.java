package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.expression.Expression.Column;
import io.featureduck.plan.LogicalPlan.Scan;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Conditions by which a source's own server finds the rows of a selection. */
final class SelectionSql {
  private static final DateTimeFormatter LOCAL =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSS", Locale.ROOT);
  private static final Pattern UUID =
      Pattern.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");

  String identifier(String name) {
    return "\"" + name.replace("\"", "\"\"") + "\"";
  }

  String text(String value) {
    return "'" + value.replace("'", "''") + "'";
  }

  /** Returns the condition of a selection on the raw columns, so that their indexes serve. */
  String condition(Scan scan, RowSelection selection) {
    return switch (selection) {
      case RowSelection.All unused -> "";
      case RowSelection.Within within ->
          within(scan.source(), column(scan, within.column()), within);
      case RowSelection.OneOf oneOf -> oneOf(scan, oneOf);
      case RowSelection.InTable unused ->
          throw new IllegalArgumentException("a server has no table of the session");
    };
  }

  private static SourceSchema.Column column(Scan scan, Column column) {
    return scan.schema().column(column.name()).orElseThrow();
  }

  private String within(Source source, SourceSchema.Column column, RowSelection.Within within) {
    String name = identifier(column.name());
    List<String> bounds = new ArrayList<>();
    if (column.zoned()) {
      bounds.add(name + " > " + instant(within.after()));
      within.upTo().ifPresent(upTo -> bounds.add(name + " <= " + instant(upTo)));
    } else if (column.engineType().equals("DATE")) {
      // A day stands for its midnight.
      LocalDateTime after = LocalBounds.after(within.after(), source.timezone());
      bounds.add(name + " >= " + date(after));
      within
          .upTo()
          .ifPresent(
              upTo -> bounds.add(name + " <= " + date(LocalBounds.upTo(upTo, source.timezone()))));
    } else {
      bounds.add(name + " > " + local(LocalBounds.after(within.after(), source.timezone())));
      within
          .upTo()
          .ifPresent(
              upTo -> bounds.add(name + " <= " + local(LocalBounds.upTo(upTo, source.timezone()))));
    }
    String all = String.join(" AND ", bounds);
    return within.orNull() ? "(" + all + " OR " + name + " IS NULL)" : all;
  }

  private String instant(Instant instant) {
    return "TIMESTAMPTZ " + text(instant.toString());
  }

  private String local(LocalDateTime time) {
    return "TIMESTAMP " + text(LOCAL.format(time));
  }

  private String date(LocalDateTime time) {
    return "DATE " + text(time.toLocalDate().toString());
  }

  private String oneOf(Scan scan, RowSelection.OneOf oneOf) {
    List<SourceSchema.Column> columns =
        oneOf.columns().stream().map(column -> column(scan, column)).toList();
    List<List<String>> values =
        oneOf.values().stream().filter(row -> !oneOf.foreign() || mayHave(columns, row)).toList();
    if (values.isEmpty()) {
      return "false";
    }
    String names =
        columns.stream()
            .map(column -> oneOf.foreign() ? comparable(column) : identifier(column.name()))
            .collect(Collectors.joining(", "));
    String rows =
        values.stream().map(row -> literals(columns, row)).collect(Collectors.joining(", "));
    return (columns.size() == 1 ? names : "(" + names + ")") + " IN (" + rows + ")";
  }

  private String literals(List<SourceSchema.Column> columns, List<String> row) {
    List<String> literals = new ArrayList<>();
    for (int i = 0; i < row.size(); i++) {
      literals.add(literal(columns.get(i).type().orElseThrow(), row.get(i)));
    }
    String all = String.join(", ", literals);
    return literals.size() == 1 ? all : "(" + all + ")";
  }

  private String literal(FeatureType type, String value) {
    return type == Primitive.INT32 || type == Primitive.INT64 ? value : text(value);
  }

  private String comparable(SourceSchema.Column column) {
    String name = identifier(column.name());
    boolean plain =
        column.type().orElseThrow() != Primitive.STRING
            || column.engineType().equals("VARCHAR")
            || column.engineType().equals("UUID");
    return plain ? name : "CAST(" + name + " AS text)";
  }

  private static boolean mayHave(List<SourceSchema.Column> columns, List<String> row) {
    for (int i = 0; i < row.size(); i++) {
      if (columns.get(i).engineType().equals("UUID") && !UUID.matcher(row.get(i)).matches()) {
        return false;
      }
    }
    return true;
  }
}
