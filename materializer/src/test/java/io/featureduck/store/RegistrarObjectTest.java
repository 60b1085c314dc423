package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.testing.TestStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What an apply does where the features of a row are one object: no column comes or goes. */
@Timeout(120)
@ParameterizedClass
@EnumSource(
    value = TestStore.Form.class,
    names = {"POSTGRES_JSONB", "MYSQL_JSON"})
final class RegistrarObjectTest extends Registering {
  RegistrarObjectTest(TestStore.Form form) throws Exception {
    super(form);
  }

  @Test
  void apply_addedAndDroppedFeatures_changeTheDefinitionAlone() throws Exception {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);

    applied(view("90d", "a", "c"));

    assertThat(columns())
        .containsExactly("entity_key", "features", "event_timestamp", "updated_at");
    assertThat(online("a", "b", "c")).containsExactly("1 1 null");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isTrue();
    assertThat(planned(view("90d", "a", "c")).getFirst().changesAnything()).isFalse();
    try (Registrar registrar = store.registrar(AT_ONCE)) {
      assertThat(registrar.finish("v")).isEmpty();
      assertThat(registrar.finishRemovals()).isEmpty();
    }
    assertThat(run(2, "k").rowsWritten()).isEqualTo(1);
    assertThat(online("a", "b", "c")).containsExactly("2 null 2");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isFalse();
    assertThat(history()).containsExactly("change 1 +c, -b", "create 1 +a, +b");
  }

  @Test
  void apply_featureThatComesBackBeforeARun_hasNoOldValues() throws Exception {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a"));
    assertThat(online("a", "b")).containsExactly("1 1");

    applied(view("90d", "a", "b"));

    assertThat(online("a", "b")).containsExactly("1 null");
  }

  @Test
  void apply_remadeFeature_isPendingUntilARunMakesItLive() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=other"));
    assertThat(states()).containsExactly("1 live", "2 pending");

    assertThat(run(2, "k", "l").rows()).isEqualTo(2);

    assertThat(states()).containsExactly("1 retired", "2 live");
    assertThat(database.tables()).containsExactly("online_v", "online_v__v2");
    remove();
    finishRemovals();
    assertThat(database.tables()).isEmpty();
  }
}
