package io.featureduck.feast;

import io.featureduck.feast.FeastRepository.Part;
import io.featureduck.feast.FeastRepository.Service;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Makes services of what the views that were taken have of theirs. */
final class ServiceImport {
  static final String KIND = "feature service";

  private final Map<String, ViewImport.Taken> views = new HashMap<>();
  private final Findings findings;

  ServiceImport(List<ViewImport.Taken> views, Findings findings) {
    views.forEach(view -> this.views.put(view.feastName(), view));
    this.findings = findings;
  }

  /** Returns the services that could be taken, by their names in Feast. */
  Map<String, ObjectNode> services(List<Service> services) {
    Names names = new Names(services.stream().map(Service::name).toList());
    Map<String, ObjectNode> taken = new LinkedHashMap<>();
    for (Service service : services) {
      Optional<String> name = names.of(service.name());
      if (name.isEmpty()) {
        findings.notTaken(
            KIND, service.name(), names.refusal(service.name()), "give it another name in Feast");
      } else {
        service(service, name.get()).ifPresent(json -> taken.put(service.name(), json));
      }
    }
    return taken;
  }

  private Optional<ObjectNode> service(Service service, String name) {
    Map<String, Selection> selections = new LinkedHashMap<>();
    List<String> left = new ArrayList<>();
    for (Part part : service.views()) {
      ViewImport.Taken view = views.get(part.view());
      if (view == null) {
        left.add("it is without '%s', that is no view that was taken".formatted(part.view()));
      } else if (!part.joinKeyMap().isEmpty()) {
        left.add("it is without '%s', whose join keys it renames".formatted(part.view()));
      } else {
        Selection selection =
            selections.computeIfAbsent(part.view(), unused -> new Selection(view));
        left.addAll(selection.add(part));
        tellPart(service, part);
      }
    }
    selections.values().removeIf(Selection::isEmpty);
    if (selections.isEmpty()) {
      findings.notTaken(KIND, service.name(), "nothing that it has was taken", "");
      return Optional.empty();
    }
    left.forEach(reason -> findings.notTaken(KIND, service.name(), reason, ""));
    ObjectNode json = JsonNodeFactory.instance.objectNode().put("name", name);
    ArrayNode ofService = json.putArray("views");
    for (Selection selection : selections.values()) {
      ObjectNode node = ofService.addObject().put("view", selection.view.name());
      if (!selection.isAll()) {
        ArrayNode features = node.putArray("features");
        selection.features.forEach(feature -> features.add(SettingText.literal(feature)));
      }
    }
    if (hasClash(selections.values())) {
      json.put("full_feature_names", true);
      findings.changed(
          KIND,
          service.name(),
          "features of several views have one name, so its are called <view>__<feature>",
          "");
    }
    if (!service.description().isEmpty()) {
      json.put("description", SettingText.literal(service.description()));
    }
    findings.renamed(KIND, service.name(), name);
    findings.labelsLeft(KIND, service.name(), service.owner(), service.tags());
    if (service.logs()) {
      findings.changed(KIND, service.name(), "what is served is not logged", "");
    }
    return Optional.of(json);
  }

  private void tellPart(Service service, Part part) {
    if (!part.alias().isEmpty()) {
      findings.changed(
          KIND,
          service.name(),
          "it calls view '%s' '%s', and has it under its own name here"
              .formatted(part.view(), part.alias()),
          "");
    }
    if (!part.version().isEmpty()) {
      findings.changed(
          KIND,
          service.name(),
          "it wants version %s of view '%s', and has the one that is defined now"
              .formatted(part.version(), part.view()),
          "");
    }
  }

  /** Tells whether two views have a feature of one name, as far as their features are known. */
  private static boolean hasClash(Collection<Selection> selections) {
    Set<String> seen = new HashSet<>();
    return !selections.stream()
        .flatMap(selection -> selection.known().stream())
        .allMatch(seen::add);
  }

  /** What one service has of one view. */
  private static final class Selection {
    private final ViewImport.Taken view;
    private final Set<String> features = new LinkedHashSet<>();
    private boolean all;

    Selection(ViewImport.Taken view) {
      this.view = view;
    }

    /** Adds what a part of the service has, and returns what is not to be had, in words. */
    List<String> add(Part part) {
      all |= part.features().isEmpty();
      List<String> left = new ArrayList<>();
      for (String feature : part.features()) {
        String name = view.features().isEmpty() ? feature : view.features().get(feature);
        if (name == null) {
          left.add("it is without '%s:%s', that was not taken".formatted(part.view(), feature));
        } else {
          features.add(name);
        }
      }
      return left;
    }

    boolean isEmpty() {
      return !all && features.isEmpty();
    }

    boolean isAll() {
      return all || (!view.features().isEmpty() && features.containsAll(view.features().values()));
    }

    Collection<String> known() {
      return isAll() ? view.features().values() : features;
    }
  }
}
