package io.featureduck.definition;

import java.util.List;
import java.util.Optional;

/** Everything that one {@code config.json} declares. Names are resolved and unique. */
public record FeatureStore(
    String project,
    ServerSettings server,
    OnlineStoreSettings onlineStore,
    MaterializerSettings materializer,
    List<Entity> entities,
    List<Source> sources,
    List<FeatureView> views,
    List<FeatureService> services) {
  public FeatureStore {
    entities = List.copyOf(entities);
    sources = List.copyOf(sources);
    views = List.copyOf(views);
    services = List.copyOf(services);
  }

  public Optional<FeatureView> view(String name) {
    return views.stream().filter(view -> view.name().equals(name)).findFirst();
  }

  public Optional<Source> source(String name) {
    return sources.stream().filter(source -> source.name().equals(name)).findFirst();
  }
}
