package io.featureduck.migrate;

import io.featureduck.store.ViewAdoption;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The view that takes the old table's name, so that who reads it goes on reading.
 *
 * <p>It selects from a function, for a view would hold on to the online tables, which runs replace.
 * Postgres puts the function's one SELECT in place of its call, so a lookup still goes by the key
 * of the one table.
 */
final class ReadersView {
  private static final int NAME_BYTES_MAX = 63;

  private final OldTable old;
  private final List<MigratedView> views;
  private final List<RowSql> sql;
  private final String storeSchema;

  ReadersView(OldTable old, List<MigratedView> views, List<RowSql> sql, String storeSchema) {
    this.old = old;
    this.views = views;
    this.sql = sql;
    this.storeSchema = storeSchema;
  }

  /**
   * Makes it, within the transaction that has renamed the old table.
   *
   * @param columns of the old table, in their order
   * @param renamed the old table as it is called now
   */
  void create(Session session, List<OldTable.Column> columns, String renamed) {
    String function = old.beside(cut("featureduck_" + old.name(), "_rows"));
    List<String> definitions = new ArrayList<>();
    List<String> selected = new ArrayList<>();
    for (OldTable.Column column : columns) {
      String quoted = ViewAdoption.identifier(column.name());
      definitions.add(quoted + " " + column.type());
      // The key's own order is what its index has.
      selected.add(
          column.name().equals(old.columns().entityKey())
              ? "r.%1$s COLLATE \"C\" AS %1$s".formatted(quoted)
              : "r.%1$s::%2$s AS %1$s".formatted(quoted, column.type()));
    }
    List<String> selects = new ArrayList<>();
    for (int i = 0; i < views.size(); i++) {
      selects.add(select(i, columns));
    }
    session.execute(
        """
        CREATE FUNCTION %s() RETURNS TABLE (%s) LANGUAGE sql STABLE AS %s
        """
            .formatted(
                function,
                String.join(", ", definitions),
                Literal.of(String.join("\nUNION ALL\n", selects))));
    session.execute(
        "CREATE VIEW %s AS SELECT %s FROM %s() r"
            .formatted(old.quoted(), String.join(", ", selected), function));
    session.execute(
        "COMMENT ON VIEW %s IS %s"
            .formatted(
                old.quoted(),
                Literal.of(
                    "the rows of FeatureDuck's online tables, in the form of the table that they were taken over from")));
    grant(session, renamed);
  }

  private String select(int view, List<OldTable.Column> columns) {
    List<String> values =
        columns.stream()
            .map(column -> "%s::%s".formatted(value(view, column.name()), column.type()))
            .toList();
    return "SELECT %s FROM %s n"
        .formatted(String.join(", ", values), online(views.get(view).view()));
  }

  private String value(int view, String name) {
    OldColumns names = old.columns();
    if (name.equals(names.featureView())) {
      return Literal.of(views.get(view).featureView());
    }
    if (name.equals(names.entityKey())) {
      return "n.entity_key";
    }
    if (name.equals(names.features())) {
      return sql.get(view).features();
    }
    // A column without zone had its times in UTC, as the session that casts it back may not be.
    String time = name.equals(names.eventTimestamp()) ? "n.event_timestamp" : "n.updated_at";
    boolean withoutZone =
        (name.equals(names.eventTimestamp()) ? old.eventTimestamp() : old.updatedAt())
            .filter(expression -> expression.contains("AT TIME ZONE"))
            .isPresent();
    return withoutZone ? "(%s AT TIME ZONE 'UTC')".formatted(time) : time;
  }

  private String online(String view) {
    return OldTable.quoted(storeSchema, ViewAdoption.onlineTable(view));
  }

  /** Lets read the view and what is behind it who might read the old table. */
  private void grant(Session session, String renamed) {
    List<String> readers =
        session.list(
            """
            SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END
            FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
            LEFT JOIN pg_roles r ON r.oid = a.grantee
            WHERE c.oid = ?::regclass AND a.privilege_type = 'SELECT'
              AND r.rolname IS DISTINCT FROM current_user
            """,
            row -> row.getString(1),
            renamed);
    for (String reader : readers) {
      session.execute("GRANT SELECT ON %s TO %s".formatted(old.quoted(), reader));
      for (MigratedView view : views) {
        session.execute("GRANT SELECT ON %s TO %s".formatted(online(view.view()), reader));
      }
      if (!storeSchema.equals(old.schema())) {
        session.execute(
            "GRANT USAGE ON SCHEMA %s TO %s"
                .formatted(ViewAdoption.identifier(storeSchema), reader));
      }
    }
  }

  /** Returns a name with something behind it that is short enough for Postgres. */
  static String cut(String name, String suffix) {
    int end = name.length();
    while (name.substring(0, end).getBytes(StandardCharsets.UTF_8).length + suffix.length()
        > NAME_BYTES_MAX) {
      end = name.offsetByCodePoints(end, -1);
    }
    return name.substring(0, end) + suffix;
  }
}
