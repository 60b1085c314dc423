package io.featureduck.migrate;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Storage;
import io.featureduck.migrate.Proposal.ProposedView;
import io.featureduck.migrate.SchemaFile.ToldFeature;
import io.featureduck.migrate.SchemaFile.ToldView;
import io.featureduck.migrate.Survey.ViewStats;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Proposes what each view becomes: by the schema file, then the config, then all of its rows. Of a
 * view that the config declares, features and their types are the config's.
 */
final class SchemaProposer {
  /** A Postgres table has at most 1,600 columns. */
  private static final int FEATURES_MAX = 1_500;

  private final OldTable old;
  private final Survey survey;
  private final SchemaRequest request;

  SchemaProposer(OldTable old, Survey survey, SchemaRequest request) {
    this.old = old;
    this.survey = survey;
    this.request = request;
  }

  Proposal propose() {
    Map<String, ViewStats> stats = survey.views();
    List<String> problems = new ArrayList<>();
    if (stats.isEmpty()) {
      problems.add("table %s has no rows".formatted(old.shown()));
    }
    for (String told : request.file().featureViews()) {
      if (!stats.containsKey(told)) {
        problems.add(
            "the schema file has a view '%s' that the table has no rows of".formatted(told));
      }
    }
    Map<String, String> names = names(stats.keySet());
    List<ProposedView> views = new ArrayList<>();
    stats.forEach((name, view) -> views.add(propose(name, names.getOrDefault(name, name), view)));
    Set<String> seen = new HashSet<>();
    for (ProposedView view : views) {
      if (!seen.add(view.view().view())) {
        problems.add("two views would be called '%s'".formatted(view.view().view()));
      }
    }
    return new Proposal(views, problems);
  }

  /** Returns our names by the old ones: as told, else the same, else one that resembles it. */
  private Map<String, String> names(Set<String> featureViews) {
    Map<String, String> names = new TreeMap<>();
    for (String old : featureViews) {
      request
          .file()
          .view(old)
          .view()
          .or(() -> Optional.of(old).filter(SchemaProposer::isViewName))
          .ifPresent(name -> names.put(old, name));
    }
    Set<String> taken = new HashSet<>(names.values());
    taken.add(Names.RESERVED_VIEW);
    for (String old : featureViews) {
      if (!names.containsKey(old)) {
        String name = Names.of(old, "view", taken);
        boolean ignored = taken.add(name);
        names.put(old, name);
      }
    }
    return names;
  }

  private static boolean isViewName(String name) {
    return Names.isName(name) && !name.equals(Names.RESERVED_VIEW);
  }

  private ProposedView propose(String featureView, String name, ViewStats stats) {
    ToldView told = request.file().view(featureView);
    Optional<DeclaredView> declared = request.declared().apply(name);
    Draft draft = new Draft(featureView, told, declared, stats);
    draft.inferred = told.view().isEmpty() && !name.equals(featureView);
    draft.checkStorage();
    draft.findJoinKeys();
    draft.findFeatures();
    return draft.finish(name);
  }

  /** What is found of one view, part by part. */
  private final class Draft {
    private final String featureView;
    private final ToldView told;
    private final Optional<DeclaredView> declared;
    private final ViewStats stats;
    private final List<String> notes = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private final List<MigratedFeature> features = new ArrayList<>();
    private final List<MigratedFeature> toldTypes = new ArrayList<>();
    private final List<String> leftOut = new ArrayList<>();
    private final Optional<String> separator;
    private List<JoinKey> joinKeys = List.of();
    private boolean inferred;

    Draft(String featureView, ToldView told, Optional<DeclaredView> declared, ViewStats stats) {
      this.featureView = featureView;
      this.told = told;
      this.declared = declared;
      this.stats = stats;
      this.separator = told.keySeparator().or(request::keySeparator);
    }

    void checkStorage() {
      if (declared.filter(view -> view.definition().storage() == Storage.JSONB).isPresent()) {
        problems.add(
            "it is declared with \"storage\": \"jsonb\", and rows are taken over into typed columns only: declare it typed, or leave it out of the config and migrate its rows under another name");
      }
    }

    void findJoinKeys() {
      if (declared.isPresent()) {
        joinKeys = declared.get().definition().joinKeys();
        if (!told.joinKeys().isEmpty() && !told.joinKeys().equals(joinKeys)) {
          problems.add("the schema file has other join keys than the config");
        }
      } else if (!told.joinKeys().isEmpty()) {
        joinKeys = told.joinKeys();
      } else {
        inferred = true;
        String prefix = Names.of("entity_id", "entity_id", stats.features().keySet());
        joinKeys = survey.joinKeys(featureView, separator, prefix);
      }
    }

    void findFeatures() {
      Set<String> old = new LinkedHashSet<>(stats.features().keySet());
      old.addAll(told.features().keySet());
      told.ignored().forEach(old::remove);
      Set<String> taken = new HashSet<>(Names.RESERVED);
      joinKeys.forEach(key -> taken.add(key.name()));
      for (String from : old) {
        Optional<String> name = knownName(from);
        name.ifPresent(taken::add);
        name.ifPresent(known -> add(from, known));
      }
      for (String from : old) {
        if (knownName(from).isEmpty() && declared.isEmpty()) {
          inferred = true;
          String name = Names.of(from, "feature", taken);
          boolean ignored = taken.add(name);
          add(from, name);
        } else if (knownName(from).isEmpty()) {
          leftOut.add(from);
          problems.add(
              "feature %s is none of the declared view's: declare it, or list it as ignored in a schema file"
                  .formatted(from));
        }
      }
      declared.ifPresent(view -> addMissing(view.features()));
      sort();
    }

    /** Returns a feature's name where it is given, or may stay. */
    private Optional<String> knownName(String from) {
      Optional<String> given = feature(from).name();
      if (given.isPresent()) {
        return given;
      }
      if (declared.isPresent()) {
        return Optional.of(from).filter(this::isDeclared);
      }
      boolean mayStay =
          Names.isName(from)
              && !Names.RESERVED.contains(from)
              && joinKeys.stream().noneMatch(key -> key.name().equals(from));
      return Optional.of(from).filter(name -> mayStay);
    }

    private boolean isDeclared(String name) {
      return declaredType(name).isPresent();
    }

    private Optional<FeatureType> declaredType(String name) {
      return declared.flatMap(view ->
          view.features().stream()
              .filter(feature -> feature.name().equals(name))
              .map(Feature::type)
              .findFirst());
    }

    private ToldFeature feature(String from) {
      return told.features().getOrDefault(from, ToldFeature.NOTHING);
    }

    private void add(String from, String name) {
      if (features.stream().anyMatch(other -> other.name().equals(name))) {
        problems.add("two features would be called '%s'".formatted(name));
        leftOut.add(from);
        return;
      }
      Optional<FeatureType> toldType = feature(from).type();
      Optional<FeatureType> type = declaredType(name).or(() -> toldType);
      if (declared.isPresent() && !isDeclared(name)) {
        problems.add("the declared view has no feature '%s'".formatted(name));
        leftOut.add(from);
      } else if (toldType.isPresent() && !toldType.equals(type)) {
        problems.add(
            "the schema file has another type of feature %s than the config".formatted(from));
        leftOut.add(from);
      } else if (type.isPresent()) {
        MigratedFeature migrated =
            new MigratedFeature(from, name, type.get(), true, keepsNull(from));
        features.add(migrated);
        toldTypes.add(migrated);
      } else {
        inferred = true;
        infer(from, name);
      }
    }

    /** Where some rows lack a feature and others have it as null, readers rather find a null. */
    private boolean keepsNull(String from) {
      ValueStats values = stats.features().getOrDefault(from, new ValueStats());
      return values.has(ValueStats.Kind.NULL) || values.count() == stats.rows();
    }

    private void infer(String from, String name) {
      ValueStats values = stats.features().getOrDefault(from, new ValueStats());
      switch (Inference.of(values)) {
        case Inference.Found.Type(FeatureType type, String note) -> {
          features.add(new MigratedFeature(from, name, type, true, keepsNull(from)));
          if (!note.isEmpty()) {
            notes.add("feature %s %s".formatted(from, note));
          }
        }
        case Inference.Found.Undecided(String why) -> {
          problems.add("feature %s %s".formatted(from, why));
          leftOut.add(from);
        }
      }
    }

    private void addMissing(List<Feature> declaredFeatures) {
      for (Feature feature : declaredFeatures) {
        if (features.stream().noneMatch(f -> f.name().equals(feature.name()))) {
          features.add(
              new MigratedFeature(feature.name(), feature.name(), feature.type(), true, false));
          notes.add(
              "feature %s is declared, and no row has it: it is NULL".formatted(feature.name()));
        }
      }
    }

    private void sort() {
      List<String> order =
          declared
              .map(view -> view.features().stream().map(Feature::name).toList())
              .orElse(List.of());
      features.sort(
          Comparator.<MigratedFeature>comparingInt(feature -> order.indexOf(feature.name()))
              .thenComparing(MigratedFeature::name));
      if (features.size() > FEATURES_MAX) {
        problems.add(
            "it has %d features: there are at most %d".formatted(features.size(), FEATURES_MAX));
      }
    }

    ProposedView finish(String name) {
      MigratedView view = view(name, features);
      if (features.size() <= FEATURES_MAX) {
        // The instant is of no account here: what is looked at doesn't depend on it.
        RowSql sql = new RowSql(old, withoutLeftOut(view), Instant.EPOCH);
        Survey.Checked checked = survey.check(sql, view, toldTypes);
        problems.addAll(checked.problems());
        List<MigratedFeature> exact =
            features.stream()
                .map(feature -> checked.inexact().contains(feature) ? feature.inexact() : feature)
                .toList();
        checked
            .inexact()
            .forEach(feature ->
                notes.add(
                    "feature %s is converted to %s".formatted(feature.from(), feature.type())));
        view = view(name, exact);
      }
      return new ProposedView(view, stats.rows(), notes, problems);
    }

    /** Returns the view with what has a problem already among the ignored, lest it has two. */
    private MigratedView withoutLeftOut(MigratedView view) {
      List<String> ignored = new ArrayList<>(view.ignored());
      ignored.addAll(leftOut);
      return new MigratedView(
          view.featureView(),
          view.view(),
          view.joinKeys(),
          view.keySeparator(),
          view.features(),
          ignored,
          view.definition(),
          view.source(),
          view.inferred());
    }

    private MigratedView view(String name, List<MigratedFeature> migrated) {
      return new MigratedView(
          featureView,
          name,
          joinKeys,
          separator.filter(text -> joinKeys.size() > 1),
          migrated,
          told.ignored(),
          declared.map(view -> view.definition().json()),
          declared.map(view -> view.definition().source()),
          inferred);
    }
  }
}
