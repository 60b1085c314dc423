package io.featureduck.run;

import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.registry.DefinitionChange;
import io.featureduck.registry.HistoryEntry;
import io.featureduck.registry.OwnDefinition;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * How this process's definitions meet those that are registered. The first time that it has to do
 * with a view, it takes up what is new and destroys nothing; from then on what is registered goes
 * first. Thread-safe.
 */
final class Registrations {
  private final OnlineStore store;
  private final String by;
  private final Set<String> met = ConcurrentHashMap.newKeySet();

  /**
   * @param by who runs this process, for people
   */
  Registrations(OnlineStore store, String by) {
    this.store = store;
    this.by = by;
  }

  /**
   * Takes a definition up, unless that was done before or is not for a process to do by itself.
   *
   * @throws FeatureException INVALID_CONFIG, the first time, where it takes an apply;
   *     STORE_UNAVAILABLE and LOCKED, and then it is still to be done
   */
  void takeUp(FeatureView view, List<Feature> features) {
    if (met.contains(view.name())) {
      return;
    }
    try {
      LiveView ignored = store.register(view, features, by);
    } catch (FeatureException e) {
      if (e.code() == ErrorCode.INVALID_CONFIG) {
        boolean ignored = met.add(view.name());
      }
      throw e;
    }
    boolean ignored = met.add(view.name());
  }

  /**
   * Returns the version that a run computes. Where the view takes all columns of its source, and
   * that has more by now, they are taken up first.
   *
   * @param features with their types, as the planner found them
   * @param registered the view as it is registered
   * @throws FeatureException INVALID_CONFIG where what this process has is neither live nor
   *     pending, saying who applied what is and when
   */
  RegisteredVersion target(FeatureView view, List<Feature> features, RegisteredView registered) {
    OwnDefinition own = new OwnDefinition(ViewDefinition.of(view, features));
    return own.target(registered)
        .or(() -> withNewColumns(view, own, registered))
        .orElseThrow(() -> refused(own, registered));
  }

  private Optional<RegisteredVersion> withNewColumns(
      FeatureView view, OwnDefinition own, RegisteredView registered) {
    boolean takesAll = view.aggregations().isEmpty() && view.projections().isEmpty();
    if (!takesAll || registered.live().isEmpty() || registered.pending().isPresent()) {
      return Optional.empty();
    }
    ViewDefinition live = registered.live().get().definition();
    DefinitionChange change = DefinitionChange.between(live, own.definition());
    if (!change.isInPlace() || !change.dropped().isEmpty()) {
      return Optional.empty();
    }
    // The settings that are registered stand.
    LiveView ignored =
        store.register(
            new ViewDefinition(
                view.name(), live.joinKeys(), own.definition().features(), live.json()),
            by);
    return own.target(store.registered(view.name()));
  }

  private FeatureException refused(OwnDefinition own, RegisteredView registered) {
    String view = registered.view();
    String difference =
        registered
            .pending()
            .or(registered::live)
            .map(version ->
                "differs from version %d in what is computed: %s"
                    .formatted(version.version(), own.differences(version)))
            .orElse("is not registered any more");
    return new FeatureException(
        ErrorCode.INVALID_CONFIG,
        "view %s of this process's config %s%s. Restart the process with the config that was applied; or, if its own is the newer one, run 'featureduck plan', then 'featureduck apply'"
            .formatted(view, difference, lastChange(view)));
  }

  private String lastChange(String view) {
    return store.history(view).stream().findFirst().map(Registrations::words).orElse("");
  }

  private static String words(HistoryEntry entry) {
    return " (last change: %s of version %d by %s at %s)"
        .formatted(entry.action().id(), entry.version(), entry.by(), entry.at());
  }
}
