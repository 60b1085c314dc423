package io.featureduck.migrate;

import io.featureduck.store.ViewAdoption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * The rows of one view as SQL of both sides: what the old table's rows become, and what is compared
 * of old and new rows.
 */
final class RowSql {
  /* What is compared is a hash of key, features and times, each as JSON. Of a feature that must be
   * exact the old side takes the JSON as it is, and the new side makes JSON of the column: so a
   * conversion that loses something is found by what it lost, not done twice the same way. Absent
   * and null are one. jsonb_hash_extended gives equal hashes for what JSONB calls equal, 1 and 1.0. */

  /** A call takes 100 arguments. */
  private static final int PAIRS_MAX = 40;

  private static final int SHOWN_MAX = 60;

  private final OldTable old;
  private final MigratedView view;
  private final KeySql keySql;
  private final String startedAt;

  /**
   * @param startedAt what rows get for {@code updated_at} that have none
   */
  RowSql(OldTable old, MigratedView view, Instant startedAt) {
    this.old = old;
    this.view = view;
    this.keySql = new KeySql(view.joinKeys(), view.keySeparator());
    this.startedAt = "TIMESTAMPTZ " + Literal.of(startedAt.toString());
  }

  /** Returns the columns that {@link #converted} gives, in their order. */
  String columns() {
    List<String> columns = new ArrayList<>();
    columns.add("entity_key");
    view.features().forEach(feature -> columns.add(ViewAdoption.identifier(feature.name())));
    columns.add("event_timestamp");
    columns.add("updated_at");
    return String.join(", ", columns);
  }

  /**
   * Returns the old rows as the new table has them; a value that doesn't fit fails the statement
   * and is named.
   *
   * @param where on the old table, {@code o}
   */
  String converted(String where) {
    List<String> columns = new ArrayList<>();
    columns.add(key());
    for (int i = 0; i < view.features().size(); i++) {
      columns.add(value(view.features().get(i), "r.x" + i));
    }
    columns.add(
        "CASE WHEN %s THEN r.e WHEN %s IS NULL THEN NULL END"
            .formatted(
                isEventTime("r.e"),
                refuse("concat('its event time is ', r.e, ', which is none')")));
    columns.add("r.u");
    return "SELECT %s FROM (%s) r".formatted(String.join(",\n  ", columns), rows(where));
  }

  /** Returns the old rows' {@code key} and {@code hash}. */
  String oldHashes(String where) {
    String features =
        object(i -> {
          MigratedFeature feature = view.features().get(i);
          String json = "r.x" + i;
          return feature.exact()
              ? json
              : "CASE WHEN %s IS NOT NULL THEN %s END"
                  .formatted(
                      json, ValueSql.json(feature.type(), ValueSql.value(feature.type(), json)));
        });
    return "SELECT %s AS key, %s AS hash FROM (%s) r"
        .formatted(keySql.key("r.k"), hash(keySql.key("r.k"), features, "r.e", "r.u"), rows(where));
  }

  /** Returns the new rows' {@code key} and {@code hash}. */
  String newHashes(String table, String where) {
    String features = object(i -> newJson(view.features().get(i)));
    return "SELECT n.entity_key AS key, %s AS hash FROM %s n WHERE %s"
        .formatted(
            hash("n.entity_key", features, "n.event_timestamp", "n.updated_at"), table, where);
  }

  /**
   * Returns the old rows' {@code key} and the {@code hash} of all that a reader of them sees.
   *
   * @param leniently whether features that are null count as absent, and a time of update that is
   *     missing is as it is filled in
   */
  String oldReadHashes(String where, boolean leniently) {
    String features =
        leniently
            ? "(SELECT coalesce(jsonb_object_agg(j.key, j.value), '{}') FROM jsonb_each(r.f) j WHERE j.value <> 'null')"
            : "r.f";
    String updated = leniently && old.updatedAt().isPresent() ? "r.u" : "r.v";
    return "SELECT r.k AS key, %s AS hash FROM (%s) r"
        .formatted(hash("r.k", features, "r.e", updated), rows(where, List.of()));
  }

  /** As {@link #oldReadHashes}, of what a reader would see of the new rows in their place. */
  String newReadHashes(String table, String where, boolean leniently) {
    return "SELECT n.entity_key AS key, %s AS hash FROM %s n WHERE %s"
        .formatted(
            hash(
                "n.entity_key",
                leniently ? features(List.of(), view.features()) : features(),
                old.eventTimestamp().isPresent() ? "n.event_timestamp" : "NULL::timestamptz",
                old.updatedAt().isPresent() ? "n.updated_at" : "NULL::timestamptz"),
            table,
            where);
  }

  /** Returns the features of a new row {@code n} as the old table has them. */
  String features() {
    return features(
        view.features().stream().filter(f -> f.keepsNull()).toList(),
        view.features().stream().filter(f -> !f.keepsNull()).toList());
  }

  private static String features(List<MigratedFeature> kept, List<MigratedFeature> others) {
    List<String> objects = new ArrayList<>();
    for (int from = 0; from < kept.size(); from += PAIRS_MAX) {
      List<String> pairs =
          kept.subList(from, Math.min(kept.size(), from + PAIRS_MAX)).stream()
              .map(feature -> Literal.of(feature.from()) + ", " + newJson(feature))
              .toList();
      objects.add("jsonb_build_object(" + String.join(", ", pairs) + ")");
    }
    if (!others.isEmpty()) {
      List<String> pairs =
          others.stream()
              .map(feature -> "(%s, %s)".formatted(Literal.of(feature.from()), newJson(feature)))
              .toList();
      objects.add(
          "(SELECT coalesce(jsonb_object_agg(f.name, f.value), '{}') FROM (VALUES %s) f (name, value) WHERE f.value IS NOT NULL)"
              .formatted(String.join(", ", pairs)));
    }
    return objects.isEmpty() ? "'{}'::jsonb" : "(" + String.join(" || ", objects) + ")";
  }

  private static String newJson(MigratedFeature feature) {
    return ValueSql.json(feature.type(), "n." + ViewAdoption.identifier(feature.name()));
  }

  /** Returns the condition that an old row is one of this view. */
  String isOfView() {
    return "o.%s = %s"
        .formatted(
            ViewAdoption.identifier(old.columns().featureView()), Literal.of(view.featureView()));
  }

  /** Returns a select of our keys of those old ones, in an array, that can be keys at all. */
  String keys() {
    return "SELECT DISTINCT %s FROM unnest(?::text[]) r (k) WHERE %s"
        .formatted(keySql.key("r.k"), keySql.fits("r.k"));
  }

  /** Returns the condition that an old row has one of these keys. */
  String isOneOf(List<String> oldKeys) {
    return "%s = ANY (%s)".formatted(oldKey(), Literal.array(oldKeys));
  }

  KeySql keySql() {
    return keySql;
  }

  /**
   * Returns the old rows with each part under a short name: k, f, e, u and x0, x1, …; v is the time
   * of the update as it is.
   */
  String rows(String where) {
    return rows(where, view.features());
  }

  /**
   * As {@link #rows(String)}, with some of the features only.
   *
   * @param some which; the others have no column
   */
  String rows(String where, List<MigratedFeature> some) {
    StringBuilder columns = new StringBuilder();
    columns.append("%s::text AS k".formatted(oldKey()));
    String features = "o." + ViewAdoption.identifier(old.columns().features());
    columns.append(", ").append(features).append(" AS f");
    columns.append(", ").append(old.eventTimestamp().orElse("NULL::timestamptz")).append(" AS e");
    String updated = old.updatedAt().orElse("NULL::timestamptz");
    columns.append(", ").append(updated).append(" AS v");
    columns.append(", coalesce(%s, %s) AS u".formatted(updated, startedAt));
    for (MigratedFeature feature : some) {
      columns.append(
          ", nullif(%s -> %s, 'null') AS x%d"
              .formatted(features, Literal.of(feature.from()), view.features().indexOf(feature)));
    }
    // OFFSET keeps each of these from being computed wherever it is mentioned.
    return "SELECT %s FROM %s o WHERE %s AND %s OFFSET 0"
        .formatted(columns, old.quoted(), isOfView(), where);
  }

  private String key() {
    String type = "concat('its features are ', coalesce(jsonb_typeof(r.f), 'NULL'), ', no object')";
    String others =
        "concat('it has features that the schema does not know: ', r.f - %s)".formatted(known());
    String wrong = "'its key is none of %s'".formatted(shownKeys());
    String length = "'its key is too long'";
    return """
    CASE WHEN jsonb_typeof(r.f) IS DISTINCT FROM 'object' THEN %s
      WHEN NOT (%s) THEN %s
      WHEN NOT (%s) THEN %s
      WHEN NOT (%s) THEN %s
      ELSE %s END\
    """
        .formatted(
            refuse(type),
            hasNoOthers(),
            refuse(others),
            keySql.fits("r.k"),
            refuse(wrong),
            KeySql.isShort(keySql.key("r.k")),
            refuse(length),
            keySql.key("r.k"));
  }

  private String shownKeys() {
    return String.join(
            ", ", view.joinKeys().stream().map(key -> key.name() + " " + key.type()).toList())
        .replace("'", "''");
  }

  private String hasNoOthers() {
    return "r.f - %s = '{}'".formatted(known());
  }

  private String known() {
    List<String> known = new ArrayList<>(view.ignored());
    view.features().forEach(feature -> known.add(feature.from()));
    return Literal.array(known);
  }

  /** Returns the condition that a time, or NULL, can be an event's. */
  static String isEventTime(String time) {
    return "(%1$s IS NULL OR (isfinite(%1$s) AND %1$s >= '0001-01-01Z' AND %1$s < '10000-01-01Z'))"
        .formatted(time);
  }

  private String value(MigratedFeature feature, String json) {
    return """
    CASE WHEN %1$s IS NULL THEN NULL
      WHEN %2$s THEN %3$s
      WHEN %4$s IS NULL THEN NULL END\
    """
        .formatted(
            json,
            condition(feature, json),
            ValueSql.value(feature.type(), json),
            refuse(
                "concat(%s, ' is ', left(%s::text, %d), ', which is no %s')"
                    .formatted(
                        Literal.of("feature " + feature.from()), json, SHOWN_MAX, feature.type())));
  }

  /** Returns the condition that a value may be taken. */
  static String condition(MigratedFeature feature, String json) {
    return feature.exact()
        ? ValueSql.exact(feature.type(), json)
        : ValueSql.fits(feature.type(), json);
  }

  private String refuse(String why) {
    return "%s(concat(%s, left(r.k, %d), ': ', %s))"
        .formatted(
            Session.REFUSE, Literal.of("view " + view.featureView() + ", entity "), SHOWN_MAX, why);
  }

  private String object(IntFunction<String> value) {
    List<String> objects = new ArrayList<>();
    for (int from = 0; from < view.features().size(); from += PAIRS_MAX) {
      List<String> pairs = new ArrayList<>();
      for (int i = from; i < Math.min(view.features().size(), from + PAIRS_MAX); i++) {
        pairs.add(Literal.of(view.features().get(i).name()) + ", " + value.apply(i));
      }
      objects.add("jsonb_build_object(" + String.join(", ", pairs) + ")");
    }
    return objects.isEmpty() ? "'{}'::jsonb" : String.join(" || ", objects);
  }

  private static String hash(String key, String features, String event, String updated) {
    return "jsonb_hash_extended(jsonb_build_array(%s, %s, %s, %s), 0)"
        .formatted(key, features, event, updated);
  }

  /** Returns, by bucket of keys, how many rows there are and the sum of their hashes. */
  static String buckets(String hashes) {
    return """
    SELECT %s AS bucket, count(*), sum(h.hash::numeric)::text FROM (%s) h GROUP BY 1 ORDER BY 1\
    """
        .formatted(bucket("h.key"), hashes);
  }

  /** Returns the rows of one bucket. */
  static String ofBucket(String hashes, long bucket) {
    return "SELECT h.key, h.hash FROM (%s) h WHERE %s = %d"
        .formatted(hashes, bucket("h.key"), bucket);
  }

  private static String bucket(String key) {
    return "(hashtextextended(%s, 0) & 1023)".formatted(key);
  }

  /** Returns the condition that an old row's key is after {@code after} and up to {@code to}. */
  String range(Optional<String> after, Optional<String> to) {
    List<String> bounds = new ArrayList<>();
    after.ifPresent(bound -> bounds.add(oldKey() + " > " + Literal.of(bound)));
    to.ifPresent(bound -> bounds.add(oldKey() + " <= " + Literal.of(bound)));
    return bounds.isEmpty() ? "true" : String.join(" AND ", bounds);
  }

  /**
   * Returns a select of the last of the next {@code rows} keys; without row where there are fewer.
   */
  String bound(Optional<String> after, int rows) {
    return "SELECT %1$s FROM %2$s o WHERE %3$s AND %4$s ORDER BY %1$s OFFSET %5$d LIMIT 1"
        .formatted(oldKey(), old.quoted(), isOfView(), range(after, Optional.empty()), rows - 1);
  }

  private String oldKey() {
    return "o." + ViewAdoption.identifier(old.columns().entityKey());
  }
}
