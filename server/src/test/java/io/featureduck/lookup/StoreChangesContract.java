package io.featureduck.lookup;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.lookup.StoreChanges.Change;
import io.featureduck.lookup.StoreChanges.Standing;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.sqlclient.SqlConnection;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked of the bookkeeping of every kind of store. */
abstract class StoreChangesContract {
  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();

  abstract OnlineStoreSettings settings();

  /** Makes the tables of the bookkeeping. */
  abstract void create() throws Exception;

  /** Runs a statement that both databases take. */
  abstract void execute(String sql) throws Exception;

  @BeforeEach
  void register() throws Exception {
    create();
    execute(
        "INSERT INTO featureduck_views (view, version, definition, hash, live, created_by) VALUES"
            + " ('a', 1, '{}', 'h1', false, 'test'), ('a', 2, '{}', 'h2', true, 'test'),"
            + " ('b', 1, '{}', 'h3', true, 'test'), ('gone', 1, '{}', 'h4', false, 'test')");
  }

  @AfterEach
  void close() throws Exception {
    assertThat(vertx.close().await(10, SECONDS)).isNull();
  }

  private <T> T ask(Function<SqlConnection, Future<T>> question) throws Exception {
    return Future.<T>future(promise ->
            context.runOnContext(nothing -> {
              StoreConnection connection = new StoreConnection(vertx, settings());
              connection.get().compose(question).eventually(connection::close).onComplete(promise);
            }))
        .await(10, SECONDS);
  }

  private void commit(String view, int version, long generation, String keys) throws Exception {
    execute(
        "INSERT INTO featureduck_changes (view, version, generation, keys) VALUES ('%s', %d, %d, %s)"
            .formatted(view, version, generation, keys));
  }

  @Test
  void standings_someVersions_areTheLiveOnesWithTheirNewestCommit() throws Exception {
    commit("a", 1, 9, "NULL");
    commit("a", 2, 1, "NULL");
    commit("a", 2, 2, "NULL");
    execute(
        "INSERT INTO featureduck_runs (view, version, kind, status, engine, upper_bound, host) VALUES"
            + " ('a', 2, 'full', 'succeeded', 'duckdb', '2026-11-23 10:00:00.123456', 'test'),"
            + " ('a', 2, 'full', 'failed', 'duckdb', '2026-11-23 11:00:00', 'test'),"
            + " ('a', 1, 'full', 'succeeded', 'duckdb', '2026-11-23 12:00:00', 'test')");
    execute(
        "INSERT INTO featureduck_watermarks (view, version, source, watermark, run_id, rows)"
            + " VALUES ('a', 2, 's', '2026-11-23 10:00:00', 1, 0),"
            + " ('a', 2, 't', '2026-11-23 10:00:00', 1, 0), ('a', 1, 's', '2026-11-23 12:00:00', 3, 0)");

    List<Standing> standings = ask(new StoreChanges(settings())::standings);

    assertThat(standings)
        .containsExactlyInAnyOrder(
            new Standing(
                "a", 2, "h2", 2, Optional.of(Instant.parse("2026-11-23T10:00:00.123456Z"))),
            new Standing("b", 1, "h3", 0, Optional.empty()));
  }

  @Test
  void after_someCommits_areThoseInOrderWithTheirKeys() throws Exception {
    commit("a", 2, 3, "'[\"k|1\", \"it''s\", \"🦆\", \"q\\\"\"]'".replace("\\", backslash()));
    commit("a", 2, 2, "NULL");
    commit("a", 2, 4, "'[]'");
    commit("a", 2, 5, "'{}'");
    commit("a", 2, 1, "NULL");
    commit("a", 1, 3, "NULL");
    commit("b", 2, 3, "NULL");
    StoreChanges changes = new StoreChanges(settings());

    List<Change> after = ask(open -> changes.after(open, "a", 2, 1));

    assertThat(after)
        .containsExactly(
            new Change(2, Optional.empty()),
            new Change(3, Optional.of(List.of("k|1", "it's", "🦆", "q\""))),
            new Change(4, Optional.of(List.of())),
            // What nobody can tell may be any.
            new Change(5, Optional.empty()));
    List<Change> none = ask(open -> changes.after(open, "a", 2, 5));
    assertThat(none).isEmpty();
  }

  /** Returns how a backslash is written in a literal. */
  abstract String backslash();
}
