package io.featureduck.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.registry.OwnDefinition.Start;
import io.featureduck.registry.RegisteredVersion.State;
import io.featureduck.testing.TestDefinitions;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a process may push, and what its runs compute, before each state of the registry. */
final class OwnDefinitionTest {
  private static final String SUM =
      "{'ttl':'90d','aggregations':[{'function':'sum','column':'a','alias':'s'}]}";
  private static final ViewDefinition BEFORE = DefinitionChangeTest.view(SUM, "s INT64");
  private static final ViewDefinition OTHER_TTL =
      DefinitionChangeTest.view(SUM.replace("90d", "30d"), "s INT64");
  private static final ViewDefinition REMADE =
      DefinitionChangeTest.view(SUM.replace("'a'", "'b'"), "s INT64");
  private static final ViewDefinition REMADE_OTHER_TTL =
      DefinitionChangeTest.view(SUM.replace("'a'", "'b'").replace("90d", "30d"), "s INT64");
  private static final ViewDefinition MORE =
      DefinitionChangeTest.view(
          SUM.replace("[{", "[{'function':'count','alias':'n'},{"), "n INT64, s INT64");

  private static RegisteredView registered(RegisteredVersion... versions) {
    return new RegisteredView("v", List.of(versions));
  }

  private static RegisteredVersion version(int number, State state, ViewDefinition definition) {
    return new RegisteredVersion(
        number,
        state,
        definition,
        definition.hash(),
        Instant.EPOCH,
        "ada",
        Optional.of(1L),
        false,
        List.of());
  }

  private static Start start(ViewDefinition own, RegisteredVersion... versions) {
    return new OwnDefinition(own).start(registered(versions));
  }

  private static Optional<Integer> target(ViewDefinition own, RegisteredVersion... versions) {
    return new OwnDefinition(own).target(registered(versions)).map(RegisteredVersion::version);
  }

  @Test
  void start_notRegistered_isTakenUp() {
    assertThat(start(BEFORE))
        .isInstanceOfSatisfying(
            Start.TakeUp.class,
            t -> assertThat(t.change()).isInstanceOf(ViewChange.Addition.class));
  }

  @Test
  void start_settingsOrMoreFeatures_areTakenUp() {
    RegisteredVersion live = version(1, State.LIVE, BEFORE);

    assertThat(start(BEFORE, live)).isEqualTo(new Start.Nothing());
    assertThat(start(OTHER_TTL, live)).isInstanceOf(Start.TakeUp.class);
    assertThat(start(MORE, live)).isInstanceOf(Start.TakeUp.class);
  }

  @Test
  void start_fewerFeaturesOrRemade_isRefusedWithTheDifferenceAndTheWayOut() {
    assertThat(start(BEFORE, version(3, State.LIVE, MORE)))
        .isEqualTo(
            new Start.Refused(
                "view v differs from its live version 3 in what only an apply changes: feature n is gone here; run 'featureduck plan', then 'featureduck apply'"));
    assertThat(start(REMADE, version(1, State.LIVE, BEFORE)))
        .isInstanceOfSatisfying(
            Start.Refused.class,
            refused ->
                assertThat(refused.why())
                    .contains("feature s: column: there \"a\", here \"b\"; run"));
  }

  @Test
  void start_whileAVersionIsPending_pushesNothing() {
    RegisteredVersion live = version(1, State.LIVE, BEFORE);
    RegisteredVersion pending = version(2, State.PENDING, REMADE);

    assertThat(start(BEFORE, live, pending)).isEqualTo(new Start.Nothing());
    assertThat(start(OTHER_TTL, live, pending)).isEqualTo(new Start.Nothing());
    assertThat(start(REMADE, live, pending)).isEqualTo(new Start.Nothing());
    assertThat(start(REMADE_OTHER_TTL, live, pending)).isEqualTo(new Start.Nothing());
    assertThat(start(MORE, live, pending)).isInstanceOf(Start.Refused.class);
  }

  @Test
  void target_liveOrPending_isWhatComputesTheSame() {
    RegisteredVersion live = version(1, State.LIVE, BEFORE);
    RegisteredVersion pending = version(2, State.PENDING, REMADE);
    RegisteredVersion retired = version(1, State.RETIRED, REMADE);

    assertThat(target(OTHER_TTL, live)).contains(1);
    assertThat(target(OTHER_TTL, live, pending)).contains(1);
    assertThat(target(REMADE_OTHER_TTL, live, pending)).contains(2);
    assertThat(target(MORE, live, pending)).isEmpty();
    assertThat(target(REMADE, retired, version(2, State.LIVE, BEFORE))).isEmpty();
    assertThat(target(REMADE)).isEmpty();
  }

  @Test
  void likelyTarget_withoutTypes_isThePendingOneUnlessItIsMadeOtherwise() {
    RegisteredView registered =
        registered(version(1, State.LIVE, BEFORE), version(2, State.PENDING, REMADE));

    assertThat(likelyTarget(BEFORE, registered)).contains(1);
    assertThat(likelyTarget(REMADE_OTHER_TTL, registered)).contains(2);
    assertThat(likelyTarget(REMADE, registered(version(1, State.LIVE, BEFORE)))).contains(1);
    assertThat(likelyTarget(REMADE, registered())).isEmpty();
  }

  private static Optional<Integer> likelyTarget(ViewDefinition own, RegisteredView registered) {
    ViewDefinition stored =
        ViewDefinition.of(TestDefinitions.view("v", "orders", own.json()), own.features());
    List<RegisteredVersion> versions =
        registered.versions().stream()
            .map(version ->
                version(
                    version.version(),
                    version.state(),
                    new ViewDefinition(
                        "v",
                        stored.joinKeys(),
                        version.definition().features(),
                        version.definition().json())))
            .toList();
    return OwnDefinition.likelyTarget(
            TestDefinitions.view("v", "orders", own.json()), new RegisteredView("v", versions))
        .map(RegisteredVersion::version);
  }
}
