package io.featureduck.migrate;

import io.featureduck.definition.JoinKey;
import io.featureduck.migrate.ValueStats.Kind;
import io.featureduck.store.ViewAdoption;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Looks at all rows of the old table, on its server, to find out what they hold. */
final class Survey {
  private static final String KIND =
      """
      CASE jsonb_typeof(v.value)
        WHEN 'number' THEN
          CASE WHEN scale(n) > 0 THEN CASE WHEN %1$s THEN 'FRACTION' ELSE 'FRACTION_ONLY' END
            WHEN abs(n) <= 9007199254740992 THEN 'SMALL'
            WHEN n BETWEEN -9223372036854775808 AND 9223372036854775807
            THEN CASE WHEN %1$s THEN 'INT64' ELSE 'INT64_ONLY' END
            ELSE CASE WHEN %1$s THEN 'LARGE' ELSE 'LARGE_ONLY' END END
        WHEN 'string' THEN
          CASE WHEN v.value IN ('"NaN"', '"Infinity"', '"-Infinity"') THEN 'NON_FINITE'
            ELSE 'STRING' END
        ELSE upper(jsonb_typeof(v.value)) END\
      """
          .formatted(ValueSql.isExactDouble());

  /** A SELECT has 1,664 columns at the most. */
  private static final int FEATURES_AT_ONCE = 300;

  private final Session session;
  private final OldTable old;
  private final String entityKey;
  private final String featureView;
  private final String features;

  Survey(Session session, OldTable old) {
    this.session = session;
    this.old = old;
    this.entityKey = "o." + ViewAdoption.identifier(old.columns().entityKey());
    this.featureView = "o." + ViewAdoption.identifier(old.columns().featureView());
    this.features = "o." + ViewAdoption.identifier(old.columns().features());
  }

  /**
   * What the rows of a view hold.
   *
   * @param features by name
   */
  record ViewStats(long rows, Map<String, ValueStats> features) {}

  /** Returns what there is, by the old table's name of a view. */
  Map<String, ViewStats> views() {
    Map<String, ViewStats> views = new TreeMap<>();
    List<ViewStats> ignored =
        session.list(
            "SELECT %s, count(*) FROM %s o GROUP BY 1".formatted(featureView, old.quoted()),
            row -> {
              ViewStats view = new ViewStats(row.getLong(2), new TreeMap<>());
              views.put(row.getString(1), view);
              return view;
            });
    addValues(views);
    views.forEach((name, view) -> {
      List<String> arrays =
          view.features().entrySet().stream()
              .filter(feature -> feature.getValue().has(Kind.ARRAY))
              .map(Map.Entry::getKey)
              .toList();
      if (!arrays.isEmpty()) {
        addElements(name, view, arrays);
      }
    });
    return views;
  }

  private void addValues(Map<String, ViewStats> views) {
    String values =
        """
        SELECT %1$s AS feature_view, e.key, e.value
        FROM %2$s o, jsonb_each(CASE WHEN jsonb_typeof(%3$s) = 'object' THEN %3$s ELSE '{}' END) e\
        """
            .formatted(featureView, old.quoted(), features);
    List<Boolean> ignored =
        session.list(
            kinds(values),
            row -> {
              // A view that came since is asked for by the next look.
              ViewStats view = views.get(row.getString(1));
              if (view != null) {
                add(view.features().computeIfAbsent(row.getString(2), f -> new ValueStats()), row);
              }
              return true;
            });
  }

  private void addElements(String name, ViewStats view, List<String> arrays) {
    String values =
        """
        SELECT %1$s AS feature_view, a.key, e.value
        FROM %2$s o, unnest(%4$s) a (key),
          jsonb_array_elements(CASE WHEN jsonb_typeof(%3$s -> a.key) = 'array'
            THEN %3$s -> a.key ELSE '[]' END) e
        WHERE %1$s = %5$s\
        """
            .formatted(
                featureView, old.quoted(), features, Literal.array(arrays), Literal.of(name));
    List<Boolean> ignored =
        session.list(
            kinds(values),
            row -> {
              ValueStats feature = view.features().get(row.getString(2));
              if (feature != null) {
                ValueStats elements = feature.elements().orElseGet(ValueStats::new);
                add(elements, row);
                feature.elements(elements);
              }
              return true;
            });
  }

  private static String kinds(String values) {
    return """
    SELECT v.feature_view, v.key, %s AS kind, count(*), coalesce(max(abs(n)), 0),
      coalesce(max(scale(n)), 0)
    FROM (SELECT v.*, CASE WHEN jsonb_typeof(v.value) = 'number' THEN v.value::numeric END AS n
      FROM (%s) v OFFSET 0) v
    GROUP BY 1, 2, 3\
    """
        .formatted(KIND, values);
  }

  private static void add(ValueStats stats, ResultSet row) throws SQLException {
    BigDecimal largest = row.getBigDecimal(5);
    stats.add(Kind.valueOf(row.getString(3)), row.getLong(4), largest, row.getInt(6));
  }

  /**
   * Finds join keys that all entity keys of a view are keys of: whole numbers, else text, as many
   * as the separator makes of each.
   *
   * @param prefix of their names
   */
  List<JoinKey> joinKeys(String view, Optional<String> separator, String prefix) {
    String ofView = "%s = %s".formatted(featureView, Literal.of(view));
    int parts =
        separator
            .map(text ->
                session
                    .first(
                        "SELECT min(p), max(p) FROM (SELECT cardinality(string_to_array(%s, %s)) AS p FROM %s o WHERE %s) k"
                            .formatted(entityKey, Literal.of(text), old.quoted(), ofView),
                        row -> row.getInt(1) == row.getInt(2) ? row.getInt(1) : 1)
                    .orElse(1))
            .orElse(1);
    List<JoinKey> keys = new ArrayList<>();
    List<String> conditions = new ArrayList<>();
    for (int i = 1; i <= parts; i++) {
      String part =
          parts == 1
              ? entityKey
              : "split_part(%s, %s, %d)"
                  .formatted(entityKey, Literal.of(separator.orElseThrow()), i);
      conditions.add("coalesce(bool_and(%s), false)".formatted(KeySql.isInt64(part)));
    }
    List<Boolean> whole =
        session
            .first(
                "SELECT %s FROM %s o WHERE %s"
                    .formatted(String.join(", ", conditions), old.quoted(), ofView),
                row -> {
                  List<Boolean> flags = new ArrayList<>();
                  for (int i = 1; i <= conditions.size(); i++) {
                    flags.add(row.getBoolean(i));
                  }
                  return flags;
                })
            .orElseThrow();
    for (int i = 0; i < parts; i++) {
      String name = parts == 1 ? prefix : prefix + "_" + (i + 1);
      keys.add(new JoinKey(name, whole.get(i) ? Primitive.INT64 : Primitive.STRING));
    }
    return keys;
  }

  /**
   * Holds all rows of a view against what it is to become.
   *
   * @param told whose values are looked at: those of types that were not found from the values
   */
  Checked check(RowSql sql, MigratedView view, List<MigratedFeature> told) {
    List<String> problems = new ArrayList<>(rowProblems(sql, view));
    List<MigratedFeature> inexact = new ArrayList<>();
    for (int from = 0; from < told.size(); from += FEATURES_AT_ONCE) {
      List<MigratedFeature> some =
          told.subList(from, Math.min(told.size(), from + FEATURES_AT_ONCE));
      checkValues(sql, view, some, problems, inexact);
    }
    return new Checked(problems, inexact);
  }

  /**
   * @param problems what doesn't fit, in words
   * @param inexact features of which some value isn't held exactly
   */
  record Checked(List<String> problems, List<MigratedFeature> inexact) {}

  private List<String> rowProblems(RowSql sql, MigratedView view) {
    Map<String, String> conditions = new LinkedHashMap<>();
    String isObject = "jsonb_typeof(r.f) IS NOT DISTINCT FROM 'object'";
    String key = sql.keySql().fits("r.k");
    conditions.put(isObject, "features that are no JSON object");
    conditions.put(key, "a key that is none of " + shown(view.joinKeys()));
    conditions.put(
        "CASE WHEN %s THEN %s ELSE true END"
            .formatted(key, KeySql.isShort(sql.keySql().key("r.k"))),
        "a key of more than 2,048 bytes");
    conditions.put(RowSql.isEventTime("r.e"), "an event time that no calendar has");
    List<String> words = List.copyOf(conditions.values());
    List<String> problems = new ArrayList<>();
    List<Misfit> misfits = misfits(sql.rows("true", List.of()), List.copyOf(conditions.keySet()));
    for (int i = 0; i < words.size(); i++) {
      if (misfits.get(i).rows() > 0) {
        problems.add(
            "%s %s, such as that of entity %s"
                .formatted(counted(misfits.get(i).rows()), words.get(i), misfits.get(i).example()));
      }
    }
    return problems;
  }

  private void checkValues(
      RowSql sql,
      MigratedView view,
      List<MigratedFeature> told,
      List<String> problems,
      List<MigratedFeature> inexact) {
    List<String> conditions = new ArrayList<>();
    for (MigratedFeature feature : told) {
      String json = "r.x" + view.features().indexOf(feature);
      conditions.add("%s IS NULL OR %s".formatted(json, ValueSql.fits(feature.type(), json)));
      conditions.add("%s IS NULL OR %s".formatted(json, ValueSql.exact(feature.type(), json)));
    }
    List<Misfit> misfits = misfits(sql.rows("true", told), conditions);
    for (int i = 0; i < told.size(); i++) {
      MigratedFeature feature = told.get(i);
      Misfit misfit = misfits.get(2 * i);
      if (misfit.rows() > 0) {
        problems.add(
            "feature %s: %s no %s, such as that of entity %s"
                .formatted(
                    feature.from(), counted(misfit.rows()), feature.type(), misfit.example()));
      }
      if (misfits.get(2 * i + 1).rows() > 0) {
        inexact.add(feature);
      }
    }
  }

  /**
   * How many rows don't meet a condition.
   *
   * @param example the beginning of an entity's key; empty where there is none
   */
  private record Misfit(long rows, String example) {}

  /** Returns a misfit for each condition on {@code r}. */
  private List<Misfit> misfits(String rows, List<String> conditions) {
    List<String> flags = new ArrayList<>();
    List<String> counts = new ArrayList<>();
    for (int i = 0; i < conditions.size(); i++) {
      flags.add("NOT (%s) AS m%d".formatted(conditions.get(i), i));
      counts.add(
          "count(*) FILTER (WHERE c.m%1$d), coalesce(min(c.k) FILTER (WHERE c.m%1$d), '')"
              .formatted(i));
    }
    if (conditions.isEmpty()) {
      return List.of();
    }
    // OFFSET keeps a condition from being looked at once for the count and once for the example.
    String select =
        "SELECT %s FROM (SELECT left(r.k, 60) AS k, %s FROM (%s) r OFFSET 0) c"
            .formatted(String.join(", ", counts), String.join(", ", flags), rows);
    return session
        .first(
            select,
            row -> {
              List<Misfit> misfits = new ArrayList<>();
              for (int i = 0; i < conditions.size(); i++) {
                misfits.add(new Misfit(row.getLong(2 * i + 1), row.getString(2 * i + 2)));
              }
              return misfits;
            })
        .orElseThrow();
  }

  private static String counted(long rows) {
    return rows == 1 ? "1 row has" : String.format(Locale.ROOT, "%,d rows have", rows);
  }

  private static String shown(List<JoinKey> keys) {
    return String.join(", ", keys.stream().map(key -> key.name() + " " + key.type()).toList());
  }
}
