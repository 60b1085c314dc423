package io.featureduck.registry;

import io.featureduck.plan.Feature;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** What is to be done about one view, so that it is registered as the config has it. */
public sealed interface ViewChange {
  /** Returns the view's versions as they were when this was planned. */
  RegisteredView registered();

  /** Returns the word for it in documents. */
  String action();

  /** Returns the definition that the config has; empty where there is none, or none is known. */
  Optional<ViewDefinition> wanted();

  /** Returns what is lost for good, in words; empty where nothing is. */
  List<String> destroys();

  /** Says what readers get once this is applied. */
  String readers();

  /** Tells whether there is anything to do. */
  default boolean changesAnything() {
    return true;
  }

  default String view() {
    return registered().view();
  }

  /**
   * The view is registered as it should be; its next run may be what is missing, or, where its rows
   * were migrated, its declaration.
   */
  record Unchanged(RegisteredView registered, ViewDefinition definition) implements ViewChange {
    @Override
    public String action() {
      return "none";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.of(definition);
    }

    @Override
    public List<String> destroys() {
      return List.of();
    }

    @Override
    public String readers() {
      return registered
          .pending()
          .map(pending -> "are " + answeredUntil(registered, pending.version()))
          .orElse("are answered as before");
    }

    @Override
    public boolean changesAnything() {
      return false;
    }
  }

  /** The view is not registered: it becomes live as version 1, without rows. */
  record Addition(RegisteredView registered, ViewDefinition definition) implements ViewChange {
    @Override
    public String action() {
      return "create";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.of(definition);
    }

    @Override
    public List<String> destroys() {
      return List.of();
    }

    @Override
    public String readers() {
      return "find no such view before this (404), and none of its rows (503) before its first run";
    }
  }

  /**
   * The live version gets another definition and stays the one that it is.
   *
   * @param change nothing remade; all of it empty where only remains are cleared away
   * @param withdrawn the pending version, which nobody wants any more
   */
  record InPlace(
      RegisteredView registered,
      RegisteredVersion live,
      ViewDefinition definition,
      DefinitionChange change,
      Optional<RegisteredVersion> withdrawn)
      implements ViewChange {
    @Override
    public String action() {
      return "change";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.of(definition);
    }

    @Override
    public List<String> destroys() {
      return live.isComputed()
          ? change.dropped().stream()
              .map(feature ->
                  "feature %s of view %s (%s)"
                      .formatted(feature.name(), view(), rowCount(live.rows())))
              .toList()
          : List.of();
    }

    @Override
    public String readers() {
      List<String> parts = new ArrayList<>();
      if (!change.added().isEmpty() && live.isComputed()) {
        parts.add("get null for %s until the next run".formatted(names(change.added())));
      }
      if (!change.dropped().isEmpty()) {
        parts.add(
            "get %s no more; who asks for it by name is refused (400)"
                .formatted(names(change.dropped())));
      }
      return parts.isEmpty() ? "are answered as before" : String.join("; ", parts);
    }
  }

  /**
   * The definition becomes that of a pending version, which the next run computes and makes live.
   * Where the live version itself was never computed, it is that one which gets the definition.
   *
   * @param version the number that it gets
   */
  record NewVersion(
      RegisteredView registered,
      RegisteredVersion live,
      ViewDefinition definition,
      DefinitionChange change,
      int version)
      implements ViewChange {
    @Override
    public String action() {
      return "new_version";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.of(definition);
    }

    /** Tells whether no version that has rows is replaced. */
    boolean replacesLive() {
      return version == live.version();
    }

    @Override
    public List<String> destroys() {
      return List.of();
    }

    @Override
    public String readers() {
      return replacesLive()
          ? "find none of its rows (503) before its first run"
          : "are " + answeredUntil(registered, version);
    }
  }

  /** The view is in the config no more: all its versions go, with their tables. */
  record Removal(RegisteredView registered) implements ViewChange {
    @Override
    public String action() {
      return "remove";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.empty();
    }

    @Override
    public List<String> destroys() {
      List<RegisteredVersion> computed = computed(registered.versions());
      return List.of(
          computed.isEmpty()
              ? "view %s (never computed)".formatted(view())
              : "view %s (%s)".formatted(view(), tables(computed)));
    }

    @Override
    public String readers() {
      return "find no such view any more (404)";
    }
  }

  /**
   * Retired versions go, with their tables.
   *
   * @param versions at least one
   */
  record Prune(RegisteredView registered, List<RegisteredVersion> versions) implements ViewChange {
    public Prune {
      versions = List.copyOf(versions);
    }

    @Override
    public String action() {
      return "prune";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.empty();
    }

    @Override
    public List<String> destroys() {
      List<RegisteredVersion> computed = computed(versions);
      return computed.isEmpty()
          ? List.of()
          : List.of("retired versions of view %s (%s)".formatted(view(), tables(computed)));
    }

    @Override
    public String readers() {
      return "are answered as before: nobody reads retired versions";
    }
  }

  /**
   * What the config has can't be known.
   *
   * @param code an id of {@link io.featureduck.error.ErrorCode}
   */
  record Unplanned(RegisteredView registered, String code, String detail) implements ViewChange {
    @Override
    public String action() {
      return "unplanned";
    }

    @Override
    public Optional<ViewDefinition> wanted() {
      return Optional.empty();
    }

    @Override
    public List<String> destroys() {
      return List.of();
    }

    @Override
    public String readers() {
      return "are answered as before";
    }

    @Override
    public boolean changesAnything() {
      return false;
    }
  }

  private static String answeredUntil(RegisteredView view, int version) {
    return "answered from version %s until the next run, a full one, has computed version %d"
        .formatted(view.live().map(live -> Integer.toString(live.version())).orElse("-"), version);
  }

  private static String names(List<Feature> features) {
    return String.join(", ", features.stream().map(Feature::name).toList());
  }

  private static List<RegisteredVersion> computed(List<RegisteredVersion> versions) {
    return versions.stream().filter(RegisteredVersion::isComputed).toList();
  }

  private static String tables(List<RegisteredVersion> versions) {
    long rows = versions.stream().mapToLong(version -> version.rows().orElse(0L)).sum();
    return "%s, %s"
        .formatted(
            versions.size() == 1 ? "1 table" : versions.size() + " tables",
            rowCount(Optional.of(rows)));
  }

  /** Returns a number of rows for people. */
  static String rowCount(Optional<Long> rows) {
    return rows.map(count -> count == 1 ? "1 row" : String.format(Locale.ROOT, "%,d rows", count))
        .orElse("never computed");
  }
}
