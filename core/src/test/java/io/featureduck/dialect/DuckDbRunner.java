package io.featureduck.dialect;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.Source;
import io.featureduck.plan.Feature;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.Planner;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.ViewPlan;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Plans views over real files and runs them on a DuckDB of its own. */
final class DuckDbRunner implements AutoCloseable {
  private final DuckDbDialect dialect = new DuckDbDialect();
  private final Connection connection;

  DuckDbRunner() throws SQLException {
    connection = DriverManager.getConnection("jdbc:duckdb:");
    execute("SET TimeZone = 'UTC'");
  }

  void execute(String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean unused = statement.execute(sql);
    }
  }

  SourceSchema schema(Source source) throws SQLException {
    return described(dialect.describe(source));
  }

  private SourceSchema described(String describe) throws SQLException {
    List<SourceSchema.Column> columns = new ArrayList<>();
    for (List<String> row : rows(describe)) {
      columns.add(dialect.column(row.get(0), row.get(1)));
    }
    return new SourceSchema(columns);
  }

  ViewPlan plan(FeatureView view, Source... sources) throws SQLException {
    Map<String, SourceSchema> schemas = new LinkedHashMap<>();
    for (Source source : sources) {
      schemas.put(source.name(), schema(source));
    }
    if (view.sql().isEmpty()) {
      return Planner.plan(view, List.of(sources), schemas);
    }
    LogicalPlan.Query query = Planner.query(view, List.of(sources), schemas);
    SourceSchema result = described(dialect.describe(query, Instant.EPOCH));
    return Planner.planSql(view, query, result, List.of(sources));
  }

  /**
   * Runs the view.
   *
   * @return the features of each entity as DuckDB writes them, NULL as "NULL", and the event
   *     timestamp; every feature's type has been checked
   */
  Map<String, Map<String, String>> run(FeatureView view, Instant asOf, Source... sources)
      throws SQLException {
    ViewPlan plan = plan(view, sources);
    String sql = dialect.render(plan.plan(), asOf);
    List<String> columns = new ArrayList<>(List.of("entity_key"));
    for (Feature feature : plan.features()) {
      String name = dialect.identifier(feature.name());
      columns.add(name);
      columns.add("typeof(" + name + ")");
    }
    columns.add("event_timestamp");
    Map<String, Map<String, String>> result = new LinkedHashMap<>();
    for (List<String> row :
        rows("SELECT %s FROM (%s) ORDER BY 1".formatted(String.join(", ", columns), sql))) {
      Map<String, String> features = new LinkedHashMap<>();
      for (int i = 0; i < plan.features().size(); i++) {
        Feature feature = plan.features().get(i);
        String type = row.get(2 + 2 * i);
        if (!type.equals(DuckDbTypes.name(feature.type()).replace("TZ", " WITH TIME ZONE"))) {
          throw new AssertionError("%s is a %s".formatted(feature, type));
        }
        features.put(feature.name(), row.get(1 + 2 * i));
      }
      features.put("event_timestamp", row.getLast());
      if (result.put(row.getFirst(), features) != null) {
        throw new AssertionError("two rows for entity " + row.getFirst());
      }
    }
    return result;
  }

  /** Counts what was left out, in the order of the plan's columns. */
  List<String> rejected(FeatureView view, Instant asOf, Source... sources) throws SQLException {
    return rows(dialect.render(plan(view, sources).rejected(), asOf)).getFirst();
  }

  private List<List<String>> rows(String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                sql.startsWith("DESCRIBE")
                    ? sql
                    : "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (%s)".formatted(sql))) {
      List<List<String>> all = new ArrayList<>();
      while (rows.next()) {
        List<String> row = new ArrayList<>();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
          String value = rows.getString(i);
          row.add(value == null ? "NULL" : value);
        }
        all.add(row);
      }
      return all;
    }
  }

  @Override
  public void close() throws SQLException {
    connection.close();
  }
}
