package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.testing.TestStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What becomes of tables and columns in MySQL, where they are not undone with a transaction. */
@Timeout(120)
final class MySqlRegistrarTest extends Registering {
  MySqlRegistrarTest() throws Exception {
    super(TestStore.Form.MYSQL_TYPED);
  }

  private ViewDefinition objectView(String... features) {
    ViewDefinition typed = view("90d", features);
    return new ViewDefinition(
        "v",
        typed.joinKeys(),
        typed.features(),
        typed.json().replace("\"storage\":\"typed\"", "\"storage\":\"jsonb\""));
  }

  /** A run that fails once the table is made. */
  private void runAndFail() {
    RegisteredView registered = store.registered("v");
    assertThatThrownBy(() ->
            run(
                registered.pending().or(registered::live).orElseThrow(),
                1,
                () -> {
                  throw new IllegalStateException("broken");
                },
                "k"))
        .hasMessage("broken");
  }

  @Test
  void run_firstOneFailedWithAnotherStorage_mendsTheTable() throws Exception {
    applied(objectView("a"));
    runAndFail();
    assertThat(columns()).contains("features");

    applied(view("90d", "a"));

    assertThat(run(3, "k").rows()).isEqualTo(1);
    assertThat(columns()).containsExactly("entity_key", "event_timestamp", "updated_at", "a");
    assertThat(online("a")).containsExactly("3");
  }

  @Test
  void run_firstOneFailedWithANameInAnotherCase_mendsTheTable() throws Exception {
    applied(view("90d", "a", "b"));
    runAndFail();

    applied(view("90d", "A", "b"));

    assertThat(run(3, "k").rows()).isEqualTo(1);
    assertThat(columns()).contains("A").doesNotContain("a");
  }

  @Test
  void run_replacedPendingVersionFailedBefore_mendsTheTable() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(objectView("a=other"));
    runAndFail();

    applied(view("90d", "a=third"));

    assertThat(run(3, "k").rows()).isEqualTo(1);
    assertThat(states()).containsExactly("1 retired", "2 live");
    assertThat(query("SELECT a FROM online_v__v2")).containsExactly("3");
  }

  @Test
  void run_columnThatRowsNeedAndThatIsNotOurs_isNotDroppedWithRows() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    database.execute("ALTER TABLE online_v ADD COLUMN odd INT NOT NULL");

    assertThatThrownBy(() -> run(2, "k", "l"))
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining("error 1364");

    assertThat(columns()).contains("odd");
    assertThat(online("a")).containsExactly("1");
  }

  @Test
  void finishRemovals_withdrawnVersionWhoseRunFailed_dropsItsTable() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=other"));
    runAndFail();
    assertThat(database.tables()).containsExactly("online_v", "online_v__v2");

    applied(view("90d", "a"));
    finishRemovals();

    assertThat(database.tables()).containsExactly("online_v");
    // The number comes again, and now is of a version that is there.
    applied(view("90d", "a=other"));
    assertThat(run(2, "k").rows()).isEqualTo(1);
    finishRemovals();
    assertThat(database.tables()).containsExactly("online_v", "online_v__v2");
  }

  @Test
  void apply_nameInAnotherCase_isRefusedUntilTheOldOneIsRemoved() throws Exception {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);

    assertThatThrownBy(() -> applied(view("90d", "A", "b")))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG))
        .hasMessageContaining("differs in case alone from a feature's")
        .hasMessageContaining("apply the view without that feature first");
    assertThat(online("a", "b")).containsExactly("1 1");

    applied(view("90d", "b"));
    applied(view("90d", "A", "b"));

    assertThat(columns()).contains("A").doesNotContain("a");
    assertThat(online("A", "b")).containsExactly("null 1");
  }
}
