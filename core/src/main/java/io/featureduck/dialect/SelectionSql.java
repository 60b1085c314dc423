package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.expression.Expression.Column;
import io.featureduck.plan.LogicalPlan.Scan;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Conditions by which a source's own server finds the rows of a selection. They are on the columns
 * as they are, so that indexes serve, and may hold for a few rows more.
 */
final class SelectionSql {
  private static final String DATE = "DATE";

  private final ServerSql server;
  private final Scan scan;

  /**
   * @param scan has the columns that are asked for, and those of the condition
   */
  SelectionSql(ServerSql server, Scan scan) {
    this.server = server;
    this.scan = scan;
  }

  /** Returns a condition; empty for all rows. */
  String condition(RowSelection selection) {
    return switch (selection) {
      case RowSelection.All unused -> "";
      case RowSelection.Within within -> within(within);
      case RowSelection.OneOf oneOf -> oneOf(oneOf);
      case RowSelection.InTable unused ->
          throw new IllegalArgumentException("a server has no table of the session");
    };
  }

  private SourceSchema.Column column(Column column) {
    return scan.schema()
        .column(column.name())
        .orElseThrow(() -> new IllegalArgumentException("not scanned: " + column));
  }

  private String within(RowSelection.Within within) {
    SourceSchema.Column column = column(within.column());
    List<String> bounds = new ArrayList<>(List.of(later(column, within.after())));
    within.upTo().ifPresent(upTo -> bounds.add(upTo(column, upTo)));
    String all = String.join(" AND ", bounds);
    return within.orNull()
        ? "(%s OR %s IS NULL)".formatted(all, server.identifier(column.name()))
        : all;
  }

  private String later(SourceSchema.Column column, Instant after) {
    Source source = scan.source();
    if (column.zoned()) {
      return server.after(source, column, after);
    }
    LocalDateTime local = LocalBounds.after(after, source.timezone());
    if (column.engineType().equals(DATE)) {
      // All of a day's rows have its midnight, those written after the bound, too.
      return "%s >= DATE '%s'".formatted(server.identifier(column.name()), local.toLocalDate());
    }
    return server.comparable(column) + " > " + server.instant(local, false);
  }

  private String upTo(SourceSchema.Column column, Instant upTo) {
    if (column.zoned()) {
      return server.comparable(column) + " <= " + server.instant(ServerSql.utc(upTo), true);
    }
    LocalDateTime local = LocalBounds.upTo(upTo, scan.source().timezone());
    return column.engineType().equals(DATE)
        ? "%s <= DATE '%s'".formatted(server.identifier(column.name()), local.toLocalDate())
        : server.comparable(column) + " <= " + server.instant(local, false);
  }

  private String oneOf(RowSelection.OneOf oneOf) {
    if (oneOf.values().isEmpty()) {
      return "1 = 0";
    }
    List<SourceSchema.Column> columns = oneOf.columns().stream().map(this::column).toList();
    String names =
        IntStream.range(0, columns.size())
            .mapToObj(i -> server.comparableKey(columns.get(i), oneOf, i))
            .collect(Collectors.joining(", "));
    String values =
        oneOf.values().stream()
            .map(row -> literals(columns, row))
            .collect(Collectors.joining(", "));
    return "%s IN (%s)".formatted(columns.size() == 1 ? names : "(" + names + ")", values);
  }

  private String literals(List<SourceSchema.Column> columns, List<String> row) {
    List<String> literals = new ArrayList<>();
    for (int i = 0; i < row.size(); i++) {
      literals.add(server.literal(columns.get(i).type().orElseThrow(), row.get(i)));
    }
    String all = String.join(", ", literals);
    return literals.size() == 1 ? all : "(" + all + ")";
  }
}
