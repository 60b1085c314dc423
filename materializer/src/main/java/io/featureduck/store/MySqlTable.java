package io.featureduck.store;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A view's table in MySQL or MariaDB. What DDL does there is there at once, so a column is added
 * before the rows that fill it, and may be there without them; columns beside those of the features
 * are left alone.
 */
final class MySqlTable extends OnlineTable {
  static final String BYTES_TYPE = "LONGBLOB";
  private static final int DUPLICATE_COLUMN = 1060;
  private static final String KEY_TYPE = "VARBINARY(2048)";
  private static final String TIME_TYPE = "DATETIME(6)";
  private static final String UPDATED_TYPE = "DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6))";

  MySqlTable(String name, Storage storage, List<Feature> features) {
    super(
        name,
        storage,
        features,
        switch (storage) {
          case TYPED -> features.stream().map(MySqlTable::column).toList();
          case JSONB ->
              List.of(new ValueColumn(FEATURES, "JSON NOT NULL", objectsDiffer(features)));
        });
  }

  private static ValueColumn column(Feature feature) {
    return new ValueColumn(feature.name(), columnType(feature.type()), differs(feature));
  }

  /** Returns the type of the column that holds features of {@code type}. */
  static String columnType(FeatureType type) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> "BOOLEAN";
            case INT32 -> "INT";
            case INT64 -> "BIGINT";
            case FLOAT32 -> "FLOAT";
            case FLOAT64 -> "DOUBLE";
            case STRING -> "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
            case BYTES -> BYTES_TYPE;
            case DATE -> "DATE";
            case TIMESTAMP -> TIME_TYPE;
            case JSON -> "JSON";
          };
      case FeatureType.Decimal(int precision, int scale) ->
          "DECIMAL(" + precision + "," + scale + ")";
      case FeatureType.Array array -> "JSON";
    };
  }

  private static String differs(Feature feature) {
    String ours = "s." + identifier(feature.name());
    String theirs = "o." + identifier(feature.name());
    return switch (feature.type()) {
      case Primitive primitive ->
          switch (primitive) {
            case FLOAT64 ->
                "(NOT (%1$s <=> %2$s) AND CASE WHEN %1$s IS NULL OR %2$s IS NULL THEN true ELSE %3$s END)"
                    .formatted(ours, theirs, doublesDiffer(ours, theirs));
            case STRING, JSON -> textsDiffer(ours, theirs);
            case BOOL, INT32, INT64, FLOAT32, BYTES, DATE, TIMESTAMP ->
                exactlyDiffers(ours, theirs);
          };
      case FeatureType.Decimal decimal -> exactlyDiffers(ours, theirs);
      case FeatureType.Array array -> textsDiffer(ours, theirs);
    };
  }

  private static String exactlyDiffers(String ours, String theirs) {
    return "NOT (%s <=> %s)".formatted(ours, theirs);
  }

  private static String textsDiffer(String ours, String theirs) {
    // As text, 'a' and 'a ' are equal: every collation that both servers have pads with spaces.
    return "NOT (CAST(CAST(%s AS CHAR) AS BINARY) <=> CAST(CAST(%s AS CHAR) AS BINARY))"
        .formatted(ours, theirs);
  }

  /** Returns the condition for two numbers that aren't equal; see PostgresTable. */
  private static String doublesDiffer(String ours, String theirs) {
    return """
    CASE WHEN abs(%1$s) BETWEEN 1e-290 AND 1e290 AND abs(%2$s) BETWEEN 1e-290 AND 1e290
        THEN abs(%1$s - %2$s) > 1e-12 * greatest(abs(%1$s), abs(%2$s)) ELSE true END\
    """
        .formatted(ours, theirs);
  }

  private static String objectsDiffer(List<Feature> features) {
    List<Feature> floats = features.stream().filter(OnlineTable::isFloat).toList();
    String whole = exactlyDiffers("s." + FEATURES, "o." + FEATURES);
    if (floats.isEmpty()) {
      return whole;
    }
    String paths =
        floats.stream().map(feature -> path(feature.name())).collect(Collectors.joining(", "));
    String rest =
        exactlyDiffers(
            "JSON_REMOVE(s.%s, %s)".formatted(FEATURES, paths),
            "JSON_REMOVE(o.%s, %s)".formatted(FEATURES, paths));
    String each =
        floats.stream().map(MySqlTable::floatDiffers).collect(Collectors.joining("\n    OR "));
    return "(%s AND (%s\n    OR %s))".formatted(whole, rest, each);
  }

  private static String floatDiffers(Feature feature) {
    String ours = "JSON_UNQUOTE(JSON_EXTRACT(s.%s, %s))".formatted(FEATURES, path(feature.name()));
    String theirs =
        "JSON_UNQUOTE(JSON_EXTRACT(o.%s, %s))".formatted(FEATURES, path(feature.name()));
    String ourNumber = "CAST(" + ours + " AS DOUBLE)";
    String theirNumber = "CAST(" + theirs + " AS DOUBLE)";
    String numbersDiffer =
        feature.type() == Primitive.FLOAT64
            ? "(%s <> %s AND %s)"
                .formatted(ourNumber, theirNumber, doublesDiffer(ourNumber, theirNumber))
            : "%s <> %s".formatted(ourNumber, theirNumber);
    String words = "('NaN', 'Infinity', '-Infinity', 'null')";
    return """
    (NOT (%1$s <=> %2$s) AND CASE
        WHEN %1$s IS NULL OR %2$s IS NULL OR %1$s IN %3$s OR %2$s IN %3$s THEN true
        ELSE %4$s END)\
    """
        .formatted(ours, theirs, words, numbersDiffer);
  }

  /** Returns the path of a feature in its row's object, as a literal. */
  private static String path(String feature) {
    String quoted = new String(JsonBytes.quoted(feature), StandardCharsets.UTF_8);
    return literal("$." + quoted);
  }

  private static String literal(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'";
  }

  @Override
  Map<String, Found> found(Connection connection) throws SQLException {
    String select =
        """
        SELECT column_name, column_type, is_nullable = 'YES' OR column_default IS NOT NULL
        FROM information_schema.columns
        WHERE table_schema = database() AND table_name = ?
        ORDER BY ordinal_position
        """;
    Map<String, Found> found = new LinkedHashMap<>();
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, name());
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          Found column = new Found(catalogType(rows.getString(2)), rows.getBoolean(3));
          Found ignored = found.put(rows.getString(1), column);
        }
      }
    }
    return found;
  }

  /** Returns a type in the one form that both servers' catalogs have in common. */
  private static String catalogType(String type) {
    String first = type.toLowerCase(Locale.ROOT).replaceFirst(" .*", "");
    return switch (first) {
      case "boolean" -> "tinyint(1)";
      // MariaDB's JSON is text.
      case "json" -> "longtext";
      default -> first.replaceFirst("^(int|bigint)\\(\\d+\\)$", "$1");
    };
  }

  /** Returns the columns that the table needs, with their types as it is made with them. */
  private List<ValueColumn> needed() {
    List<ValueColumn> columns = new ArrayList<>();
    columns.add(new ValueColumn("entity_key", KEY_TYPE, ""));
    columns.addAll(values());
    columns.add(new ValueColumn("event_timestamp", TIME_TYPE, ""));
    columns.add(new ValueColumn("updated_at", UPDATED_TYPE, ""));
    return columns;
  }

  @Override
  RowWriter typedWriter(RowWriter out) {
    return JsonRowWriter.arrays(out);
  }

  @Override
  boolean matches(Connection connection) throws SQLException {
    Map<String, Found> found = found(connection);
    return missing(found).isEmpty() && inTheWay(found).isEmpty();
  }

  private List<ValueColumn> missing(Map<String, Found> found) {
    return needed().stream().filter(column -> !isThere(column, found)).toList();
  }

  /**
   * Returns columns of others that rows can't come without, and those whose names differ from ours
   * in case alone, which are the same name to MySQL.
   */
  private List<String> inTheWay(Map<String, Found> found) {
    List<String> needed = needed().stream().map(ValueColumn::name).toList();
    return found.entrySet().stream()
        .filter(column -> !needed.contains(column.getKey()))
        .filter(column ->
            !column.getValue().optional()
                || needed.stream().anyMatch(column.getKey()::equalsIgnoreCase))
        .map(Map.Entry::getKey)
        .toList();
  }

  private static boolean isThere(ValueColumn column, Map<String, Found> found) {
    Found there = found.get(column.name());
    return there != null && there.type().equals(catalogType(column.type()));
  }

  @Override
  void create(Connection connection) throws SQLException {
    try {
      createOrMend(connection);
    } catch (SQLException e) {
      throw refused(e);
    }
  }

  private void createOrMend(Connection connection) throws SQLException {
    execute(
        connection,
        """
        CREATE TABLE IF NOT EXISTS %s (
          entity_key %s PRIMARY KEY,
          %sevent_timestamp %s,
          updated_at %s) ENGINE = InnoDB ROW_FORMAT = DYNAMIC
        """
            .formatted(name(), KEY_TYPE, definitions(), TIME_TYPE, UPDATED_TYPE));
    Map<String, Found> found = found(connection);
    List<String> actions = new ArrayList<>();
    List<String> inTheWay = inTheWay(found);
    if (!inTheWay.isEmpty() && isEmpty(connection)) {
      // A run that failed has made the table, for another definition of the version.
      inTheWay.forEach(column -> actions.add("DROP COLUMN " + identifier(column)));
    }
    for (ValueColumn column : missing(found)) {
      actions.add(
          "%s COLUMN %s %s"
              .formatted(
                  found.containsKey(column.name()) ? "MODIFY" : "ADD",
                  identifier(column.name()),
                  column.type()));
    }
    if (!actions.isEmpty()) {
      execute(connection, "ALTER TABLE " + name() + " " + String.join(", ", actions));
    }
  }

  private boolean isEmpty(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT 1 FROM " + name() + " LIMIT 1")) {
      return !rows.next();
    }
  }

  @Override
  void alter(Connection connection, List<String> actions) throws SQLException {
    /* All lookups queue behind a statement that waits for the table. They give up after a second,
     * by default, which is also the shortest that MySQL can be told to wait. MariaDB can be told to
     * give a statement less; both add and drop columns without touching the rows, so that the time
     * is spent on waiting. What stands in the comment is for MariaDB alone. */
    String sql = "ALTER TABLE " + name() + " " + String.join(", ", actions);
    try {
      execute(connection, "/*M! SET STATEMENT max_statement_time = 0.3 FOR */ " + sql);
    } catch (SQLException e) {
      throw refused(e);
    }
  }

  /** Returns what a table can't have as ours, with the way out. */
  private SQLException refused(SQLException e) {
    if (e.getErrorCode() == DUPLICATE_COLUMN && !hasTwins()) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "%s has a column whose name differs in case alone from a feature's, which MySQL takes for the same: apply the view without that feature first, and then with it; or give the view \"storage\": \"jsonb\""
              .formatted(name()),
          e);
    }
    String why =
        switch (e.getErrorCode()) {
          case DUPLICATE_COLUMN -> "two features differ in case alone";
          case 1059, 1166 -> "a feature's name is too long for it or ends with a space";
          case 1117, 1118 -> "they are too many";
          case 1425, 1426 -> "a DECIMAL has more digits after the point than it can";
          default -> "";
        };
    if (why.isEmpty()) {
      return e;
    }
    throw new FeatureException(
        ErrorCode.INVALID_CONFIG,
        "%s can't have a column of MySQL for each feature, for %s: give the view \"storage\": \"jsonb\""
            .formatted(name(), why),
        e);
  }

  private boolean hasTwins() {
    Set<String> names = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    return !needed().stream().allMatch(column -> names.add(column.name()));
  }

  @Override
  String removal(List<String> names) {
    String paths = names.stream().map(MySqlTable::path).collect(Collectors.joining(", "));
    return "UPDATE %1$s SET features = JSON_REMOVE(features, %2$s) WHERE JSON_CONTAINS_PATH(features, 'one', %2$s)"
        .formatted(name(), paths);
  }
}
