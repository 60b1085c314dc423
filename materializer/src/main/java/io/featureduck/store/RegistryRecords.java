package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.DefinitionChange;
import io.featureduck.registry.HistoryDetail;
import io.featureduck.registry.HistoryEntry;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredVersion.State;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewDefinition;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The rows of {@code featureduck_views} as they are changed: all versions of the views. Who changes
 * one has locked the view's rows before.
 */
final class RegistryRecords {
  private final StoreDatabase database;
  private final HistoryRecords history;
  private final String versions;

  RegistryRecords(StoreDatabase database) {
    this.database = database;
    this.history = new HistoryRecords(database);
    this.versions =
        """
        SELECT v.view, v.version, v.live, v.pending, v.unfilled, %s, v.hash, v.created_at,
          v.created_by, (SELECT max(w."rows") FROM featureduck_watermarks w
            WHERE w.view = v.view AND w.version = v.version)
        FROM featureduck_views v
        """
            .formatted(database.jsonText("v.definition"));
  }

  /** Returns all views that are registered, by name. */
  List<RegisteredView> all(Connection connection) throws SQLException {
    Map<String, List<RegisteredVersion>> byView = new LinkedHashMap<>();
    try (PreparedStatement select =
            connection.prepareStatement(versions + " ORDER BY v.view, v.version");
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        byView.computeIfAbsent(rows.getString(1), view -> new ArrayList<>()).add(version(rows));
      }
    }
    List<RegisteredView> views = new ArrayList<>();
    for (Map.Entry<String, List<RegisteredVersion>> entry : byView.entrySet()) {
      views.add(withStrayColumns(connection, entry.getKey(), entry.getValue()));
    }
    return List.copyOf(views);
  }

  /** Returns a view; without versions where it is not registered. */
  RegisteredView view(Connection connection, String view) throws SQLException {
    List<RegisteredVersion> found = new ArrayList<>();
    try (PreparedStatement select =
        connection.prepareStatement(versions + " WHERE v.view = ? ORDER BY v.version")) {
      select.setString(1, view);
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          found.add(version(rows));
        }
      }
    }
    return withStrayColumns(connection, view, found);
  }

  private RegisteredVersion version(ResultSet rows) throws SQLException {
    State state =
        rows.getBoolean(3) ? State.LIVE : rows.getBoolean(4) ? State.PENDING : State.RETIRED;
    long count = rows.getLong(10);
    Optional<Long> computed = rows.wasNull() ? Optional.empty() : Optional.of(count);
    return new RegisteredVersion(
        rows.getInt(2),
        state,
        ViewDefinition.parse(rows.getString(1), rows.getString(6)),
        rows.getString(7),
        database.instant(rows, 8).orElseThrow(),
        rows.getString(9),
        computed,
        rows.getBoolean(5),
        List.of());
  }

  private RegisteredView withStrayColumns(
      Connection connection, String view, List<RegisteredVersion> found) throws SQLException {
    List<RegisteredVersion> complete = new ArrayList<>();
    for (RegisteredVersion version : found) {
      boolean served = version.state() == State.LIVE && version.isComputed();
      complete.add(
          served ? version.withStrayColumns(table(version).strayColumns(connection)) : version);
    }
    return new RegisteredView(view, complete);
  }

  OnlineTable table(RegisteredVersion version) {
    return database.table(LiveView.of(version), version.definition().features());
  }

  /** Has nobody else change the view's rows until the transaction ends. */
  void lock(Connection connection, String view) throws SQLException {
    List<ErasureRecords.Version> ignored = new ErasureRecords(database).lock(connection, view);
  }

  /** Adds a version; returns false where there is one of that number. */
  boolean insert(
      Connection connection, int version, State state, ViewDefinition definition, String by)
      throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_views (view, version, definition, hash, live, pending, created_by)
        VALUES (?, ?, %s, ?, ?, ?, ?)\
        """
            .formatted(database.jsonParameter());
    try (PreparedStatement statement = database.prepareIfNew(connection, insert)) {
      statement.setString(1, definition.view());
      statement.setInt(2, version);
      statement.setString(3, definition.stored());
      statement.setString(4, definition.hash());
      statement.setBoolean(5, state == State.LIVE);
      statement.setBoolean(6, state == State.PENDING);
      statement.setString(7, by);
      return database.insertIfNew(statement) == 1;
    }
  }

  /**
   * Gives a version another definition.
   *
   * @param unfilled whether it has features by now that no run has computed
   */
  void redefine(Connection connection, int version, ViewDefinition definition, boolean unfilled)
      throws SQLException {
    String update =
        """
        UPDATE featureduck_views SET definition = %s, hash = ?, unfilled = ?
        WHERE view = ? AND version = ?
        """
            .formatted(database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, definition.stored());
      statement.setString(2, definition.hash());
      statement.setBoolean(3, unfilled);
      statement.setString(4, definition.view());
      statement.setInt(5, version);
      int ignored = statement.executeUpdate();
    }
  }

  /** Removes what the store knows of a version, apart from its runs, its history and its table. */
  void delete(Connection connection, String view, int version) throws SQLException {
    for (String table :
        List.of("featureduck_watermarks", "featureduck_changes", "featureduck_views")) {
      try (PreparedStatement statement =
          connection.prepareStatement("DELETE FROM " + table + " WHERE view = ? AND version = ?")) {
        statement.setString(1, view);
        statement.setInt(2, version);
        int ignored = statement.executeUpdate();
      }
    }
  }

  /** Removes that the view's schedules are not run. */
  void deletePause(Connection connection, String view) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("DELETE FROM featureduck_pauses WHERE view = ?")) {
      statement.setString(1, view);
      int ignored = statement.executeUpdate();
    }
  }

  /**
   * Has the registry agree with a run that is about to be committed: a pending version becomes the
   * live one, and a full run fills all columns. Locks the view's rows until the transaction ends.
   *
   * @throws FeatureException LOCKED, which may pass, where the version isn't computed any more as
   *     it was when the run began
   */
  void settle(Connection connection, RunCommit commit) throws SQLException {
    String view = commit.live().view();
    lock(connection, view);
    RegisteredView registered = view(connection, view);
    RegisteredVersion version =
        registered.versions().stream()
            .filter(candidate -> candidate.version() == commit.live().version())
            .filter(candidate -> candidate.state() != State.RETIRED)
            .findFirst()
            .orElseThrow(() -> changed(connection, commit, "it is not served any more"));
    DefinitionChange change =
        DefinitionChange.between(commit.live().registered(), version.definition());
    if (!change.computesTheSame()) {
      throw changed(connection, commit, "it has other features by now");
    }
    if (version.state() == State.PENDING) {
      promote(connection, registered, version, commit.runId());
    } else if (version.unfilled() && commit.kind() == Run.Kind.FULL) {
      filled(connection, view, version.version());
    }
  }

  private FeatureException changed(Connection connection, RunCommit commit, String how) {
    return FeatureException.passing(
        ErrorCode.LOCKED,
        "version %d of view %s was changed since run %d began: %s%s"
            .formatted(
                commit.live().version(),
                commit.live().view(),
                commit.runId(),
                how,
                lastChange(connection, commit.live().view())),
        null);
  }

  /** Says who changed the view's definition last, and when, after a semicolon. */
  String lastChange(Connection connection, String view) {
    try {
      return history
          .newest(connection, view)
          .map(entry ->
              "; last change: %s by %s at %s"
                  .formatted(entry.action().id(), entry.by(), entry.at()))
          .orElse("");
    } catch (SQLException e) {
      throw database.failure("reading the history of view " + view, e);
    }
  }

  private void promote(
      Connection connection, RegisteredView registered, RegisteredVersion pending, long runId)
      throws SQLException {
    // One after the other, for no two may be live.
    try (PreparedStatement retire =
            connection.prepareStatement(
                "UPDATE featureduck_views SET live = false WHERE view = ? AND live");
        PreparedStatement promote =
            connection.prepareStatement(
                "UPDATE featureduck_views SET live = true, pending = false WHERE view = ? AND version = ?")) {
      retire.setString(1, registered.view());
      int ignored = retire.executeUpdate();
      promote.setString(1, registered.view());
      promote.setInt(2, pending.version());
      ignored = promote.executeUpdate();
    }
    history.note(
        connection,
        registered.view(),
        pending.version(),
        HistoryEntry.Action.PROMOTE,
        HistoryDetail.promoted(runId, registered.live().map(RegisteredVersion::version)),
        host(connection, runId));
  }

  private static String host(Connection connection, long runId) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT host FROM featureduck_runs WHERE run_id = ?")) {
      select.setLong(1, runId);
      try (ResultSet rows = select.executeQuery()) {
        return rows.next() ? rows.getString(1) : "run " + runId;
      }
    }
  }

  private static void filled(Connection connection, String view, int version) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "UPDATE featureduck_views SET unfilled = false WHERE view = ? AND version = ?")) {
      statement.setString(1, view);
      statement.setInt(2, version);
      int ignored = statement.executeUpdate();
    }
  }
}
