package io.featureduck.http;

import io.featureduck.definition.FeatureService;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.lookup.ViewCatalog;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The feature sets that requests ask for. Those of services are found once for each definition that
 * their views have. Confined to one event loop.
 */
final class FeatureSets {
  private final Map<String, FeatureService> services = new HashMap<>();
  private final Map<Name, FeatureSet> ofServices = new HashMap<>();
  private final ViewCatalog catalog;

  private record Name(String service, boolean fullNames) {}

  FeatureSets(List<FeatureService> services, ViewCatalog catalog) {
    services.forEach(service -> this.services.put(service.name(), service));
    this.catalog = catalog;
  }

  /**
   * Returns what a service has.
   *
   * @param fullNames whether a feature is called {@code view__feature}; empty where the service is
   *     to say
   * @throws FeatureException UNKNOWN_SERVICE with the nearest name, and as {@link
   *     FeatureSet#ofService}
   */
  FeatureSet ofService(String name, Optional<Boolean> fullNames) {
    FeatureService service = services.get(name);
    if (service == null) {
      String shown = Shown.of(name);
      throw new FeatureException(
          ErrorCode.UNKNOWN_SERVICE,
          "there is no service '%s'%s".formatted(shown, Nearest.hint(shown, services.keySet())));
    }
    Name key = new Name(name, fullNames.orElse(service.fullFeatureNames()));
    FeatureSet known = ofServices.get(key);
    if (known == null || !known.isCurrent(catalog)) {
      known = FeatureSet.ofService(service, key.fullNames(), catalog);
      ofServices.put(key, known);
    }
    return known;
  }

  /** Returns named features of views, as {@link FeatureSet#ofNamed}. */
  FeatureSet ofNamed(List<FeatureService.Selection> selections, boolean fullNames) {
    return FeatureSet.ofNamed(selections, fullNames, catalog);
  }
}
