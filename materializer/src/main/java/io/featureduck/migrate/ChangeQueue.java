package io.featureduck.migrate;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.ViewAdoption;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The keys of rows of the old table that were written since the migration began, in a table beside
 * it that a trigger fills. What is queued is that a row changed, not how: whoever takes a key reads
 * the row as it is by then, so taking it twice, or late, does no harm.
 */
final class ChangeQueue {
  private static final String TABLE = "featureduck_migration_queue";
  private static final String FUNCTION = "featureduck_migration_note";
  private static final String TRIGGER = "featureduck_migration";
  private static final String TRUNCATE_TRIGGER = "featureduck_migration_truncate";

  private final OldTable old;
  private final String token;
  private final String queue;

  /**
   * @param token tells this migration's queue from another's
   */
  ChangeQueue(OldTable old, String token) {
    this.old = old;
    this.token = token;
    this.queue = old.beside(TABLE);
  }

  /** Tells whether this migration's queue is there. */
  boolean exists(Session session) {
    return owner(session).filter(token::equals).isPresent();
  }

  /** Tells whether another migration's is there. */
  boolean isOthers(Session session) {
    return owner(session).filter(other -> !other.equals(token)).isPresent();
  }

  /**
   * @throws FeatureException LOCKED where the table is being migrated by someone else
   */
  void checkFree(Session session) {
    if (isOthers(session)) {
      throw new FeatureException(
          ErrorCode.LOCKED,
          "%s is there and not of this migration: %s is being migrated into another store, or its migration was not ended by --abort"
              .formatted(queue, old.shown()));
    }
  }

  private Optional<String> owner(Session session) {
    return session.first(
        "SELECT coalesce(obj_description(to_regclass(?), 'pg_class'), '') WHERE to_regclass(?) IS NOT NULL",
        row -> row.getString(1),
        queue,
        queue);
  }

  /**
   * Has changes queued from now on, within a transaction. Writers wait for a moment; whatever they
   * have not committed when this returns will be queued, for the trigger waits for them.
   *
   * @return false where the table is being written by a long transaction
   */
  boolean create(Session session) {
    if (!session.tryLock(old.quoted(), "SHARE ROW EXCLUSIVE")) {
      return false;
    }
    String function = old.beside(FUNCTION);
    session.execute(
        """
        CREATE TABLE %s (
          id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, feature_view TEXT, entity_key TEXT)
        """
            .formatted(queue));
    session.execute("COMMENT ON TABLE %s IS %s".formatted(queue, Literal.of(token)));
    session.execute(function(function));
    session.execute(
        """
        CREATE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION %s()
        """
            .formatted(TRIGGER, old.quoted(), function));
    session.execute(
        "CREATE TRIGGER %s AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()"
            .formatted(TRUNCATE_TRIGGER, old.quoted(), function));
    // What comes by logical replication, or from whoever plays its part, is a write, too.
    for (String trigger : List.of(TRIGGER, TRUNCATE_TRIGGER)) {
      session.execute("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s".formatted(old.quoted(), trigger));
    }
    return true;
  }

  private String function(String name) {
    String view = ViewAdoption.identifier(old.columns().featureView());
    String key = ViewAdoption.identifier(old.columns().entityKey());
    // As the owner: whoever may write the table need not be allowed to write the queue.
    String body =
        """
        BEGIN
          IF TG_OP = 'TRUNCATE' THEN
            INSERT INTO %1$s (feature_view, entity_key) VALUES (NULL, NULL);
            RETURN NULL;
          END IF;
          IF TG_OP <> 'INSERT' THEN
            INSERT INTO %1$s (feature_view, entity_key) VALUES (OLD.%2$s, OLD.%3$s);
          END IF;
          IF TG_OP = 'INSERT'
            OR TG_OP = 'UPDATE' AND (NEW.%2$s <> OLD.%2$s OR NEW.%3$s <> OLD.%3$s) THEN
            INSERT INTO %1$s (feature_view, entity_key) VALUES (NEW.%2$s, NEW.%3$s);
          END IF;
          RETURN NULL;
        END
        """
            .formatted(queue, view, key);
    return """
    CREATE FUNCTION %s() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %s
    """
        .formatted(name, Literal.of(body));
  }

  /**
   * Removes it all, within a transaction, whatever the old table is called by now.
   *
   * @return false where the old table is in use
   */
  boolean tryDrop(Session session) {
    // The triggers go with their function.
    String drop = "DROP FUNCTION IF EXISTS %s() CASCADE".formatted(old.beside(FUNCTION));
    if (!session.tryLocking(drop, old.quoted())) {
      return false;
    }
    session.execute("DROP TABLE IF EXISTS " + queue);
    return true;
  }

  /**
   * Keys that were queued, as the session sees them.
   *
   * @param last the number of the last
   * @param size how many were queued
   * @param truncated whether all rows of the table went at once, at some time
   * @param keys of each view, each once
   */
  record Page(long last, int size, boolean truncated, Map<String, List<String>> keys) {}

  /**
   * Returns the keys after a number, in the order of their numbers. That is not the order of their
   * commits: what is committed later may come before what was seen, so only what was seen may be
   * taken away.
   *
   * @return empty where there are none
   */
  Optional<Page> page(Session session, long after, int limit) {
    Map<String, Set<String>> keys = new TreeMap<>();
    long[] last = {after};
    boolean[] truncated = {false};
    int size =
        session
            .list(
                "SELECT id, feature_view, entity_key FROM %s WHERE id > ? ORDER BY id LIMIT ?"
                    .formatted(queue),
                row -> {
                  last[0] = row.getLong(1);
                  String view = row.getString(2);
                  if (view == null) {
                    truncated[0] = true;
                    return false;
                  }
                  return keys.computeIfAbsent(view, v -> new LinkedHashSet<>())
                      .add(row.getString(3));
                },
                after,
                limit)
            .size();
    if (size == 0) {
      return Optional.empty();
    }
    Map<String, List<String>> lists = new TreeMap<>();
    keys.forEach((view, set) -> lists.put(view, List.copyOf(set)));
    return Optional.of(new Page(last[0], size, truncated[0], lists));
  }

  /** Takes away what the session's snapshot has, up to a number. */
  void delete(Session session, long last) {
    session.update("DELETE FROM %s WHERE id <= ?".formatted(queue), last);
  }

  /** Takes away all that the session's snapshot has. */
  void clear(Session session) {
    delete(session, Long.MAX_VALUE);
  }

  /**
   * Makes sure that the triggers are in force, within a transaction that has the table locked.
   *
   * @throws FeatureException SOURCE_SCHEMA where someone has turned them off
   */
  void checkInForce(Session session) {
    long inForce =
        session.number(
            """
            SELECT count(*) FROM pg_trigger
            WHERE tgrelid = ?::regclass AND tgname IN (?, ?) AND tgenabled = 'A'
            """,
            old.quoted(),
            TRIGGER,
            TRUNCATE_TRIGGER);
    if (inForce != 2) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "someone has turned off or removed the triggers on %s, so changes may be missing: end the migration by --abort and begin anew"
              .formatted(old.shown()));
    }
  }

  /** Tells whether more than so many keys wait. */
  boolean isLonger(Session session, int rows) {
    return session.number(
            "SELECT count(*) FROM (SELECT 1 FROM %s LIMIT ?) q".formatted(queue), rows + 1)
        > rows;
  }

  /** Returns how many keys wait. */
  long size(Session session) {
    return session.number("SELECT count(*) FROM " + queue);
  }
}
