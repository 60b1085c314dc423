package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Array;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.time.LocalDateTime;
import java.util.Optional;

/** Postgres' SQL, of versions 14 and later. */
final class PostgresServerSql extends ServerSql {
  @Override
  public String from(String attached, String sql) {
    // DuckDB's own quoting: a backslash is a character like any other there.
    return "postgres_query('%s', '%s')"
        .formatted(attached.replace("'", "''"), sql.replace("'", "''"));
  }

  @Override
  public String identifier(String name) {
    return "\"" + name.replace("\"", "\"\"") + "\"";
  }

  @Override
  public String text(String value) {
    String quoted = "'" + value.replace("'", "''") + "'";
    // What a backslash is depends on standard_conforming_strings, but not in E''.
    return value.indexOf('\\') < 0 ? quoted : "E" + quoted.replace("\\", "\\\\");
  }

  @Override
  public String clock() {
    // now() is when the transaction began (functions-datetime, "Current Date/Time"), just before
    // this statement; clock_timestamp() would be read after the snapshot was taken.
    return "SELECT (extract(epoch from now()) * 1000000)::int8 AS micros";
  }

  @Override
  public Optional<String> unreadable(Column column) {
    String name = identifier(column.name());
    FeatureType type = column.type().orElse(Primitive.BOOL);
    return switch (type) {
      // The connection would give it as 0.
      case Decimal unused -> Optional.of(name + " = 'NaN'");
      case Array(var element) ->
          element instanceof Decimal ? Optional.of("'NaN' = ANY(" + name + ")") : Optional.empty();
      case Primitive unused -> Optional.empty();
    };
  }

  @Override
  public String complaint(long rows) {
    return "is NaN in %d rows, which no DECIMAL can be".formatted(rows);
  }

  @Override
  boolean casts(Source source, Column column) {
    // A NUMERIC without precision would pass a DOUBLE.
    return declaredDecimal(source, column).isPresent();
  }

  @Override
  String asScanned(String attached, String sql, Source source, SourceSchema schema, String more) {
    return from(attached, sql);
  }

  @Override
  String read(Source source, Column column) {
    String name = identifier(column.name());
    return declaredDecimal(source, column)
        .map(type -> "CAST(%s AS numeric(%d,%d))".formatted(name, type.precision(), type.scale()))
        .orElse(name);
  }

  @Override
  String comparable(Column column) {
    String name = identifier(column.name());
    // A DATE compares with a timestamp, by its index too; a text doesn't.
    boolean asItIs =
        column.zoned()
            || column.engineType().equals("TIMESTAMP")
            || column.engineType().equals("DATE");
    return asItIs ? name : name + "::timestamp";
  }

  @Override
  String comparableKey(Column column, RowSelection.OneOf selection, int index) {
    String name = identifier(column.name());
    boolean isText = column.type().equals(Optional.of(Primitive.STRING));
    // An enum or a time refuses to be compared with a text that isn't one of its values.
    return selection.foreign() && isText && !column.engineType().equals("VARCHAR")
        ? "CAST(" + name + " AS text)"
        : name;
  }

  @Override
  String instant(LocalDateTime local, boolean zoned) {
    return zoned
        ? "TIMESTAMPTZ " + text(written(local) + "+00")
        : "TIMESTAMP " + text(written(local));
  }
}
