package io.featureduck.registry;

import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.registry.DefinitionChange.Remade;
import io.featureduck.registry.DefinitionChange.Setting;
import io.featureduck.type.FeatureType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * A plan for people: a paragraph a view, then a summary. The sign before a line says what becomes
 * of its subject: {@code +} comes, {@code -} goes, {@code ~} changes, {@code -/+} is made anew,
 * {@code !} can't be planned.
 */
public final class PlanText {
  private static final int SUBJECT_MAX = 40;

  private final Function<FeatureType, String> columnTypes;

  /**
   * @param columnTypes the online store's column for a type
   */
  public PlanText(Function<FeatureType, String> columnTypes) {
    this.columnTypes = columnTypes;
  }

  /** Returns the plan, without a line break at the end. */
  public String of(ChangePlan plan) {
    StringBuilder text = new StringBuilder();
    text.append("Project %s, online store %s\n".formatted(plan.project(), plan.store()));
    List<String> waiting = new ArrayList<>();
    for (ViewChange change : plan.changes()) {
      if (change instanceof ViewChange.Unchanged unchanged) {
        waiting(unchanged).ifPresent(waiting::add);
      } else {
        text.append('\n').append(paragraph(change));
      }
    }
    text.append('\n');
    waiting.addAll(plan.notes());
    waiting.forEach(line -> text.append(line).append('\n'));
    return text.append(summary(plan)).toString();
  }

  private static Optional<String> waiting(ViewChange.Unchanged unchanged) {
    if (unchanged.definition().isMigrated()) {
      return Optional.of(
          "View %1$s was migrated and is not declared yet: it stays; 'apply %1$s' removes it."
              .formatted(unchanged.view()));
    }
    return unchanged
        .registered()
        .pending()
        .map(pending ->
            "View %s waits for its next run: readers %s."
                .formatted(unchanged.view(), unchanged.readers()));
  }

  private String paragraph(ViewChange change) {
    List<Line> lines = new ArrayList<>();
    String head =
        switch (change) {
          case ViewChange.Unchanged unchanged -> "  view " + unchanged.view();
          case ViewChange.Addition addition -> addition(addition, lines);
          case ViewChange.InPlace inPlace -> inPlace(inPlace, lines);
          case ViewChange.NewVersion newVersion -> newVersion(newVersion, lines);
          case ViewChange.Removal removal -> removal(removal, lines);
          case ViewChange.Prune prune -> prune(prune, lines);
          case ViewChange.Unplanned unplanned -> unplanned(unplanned);
        };
    StringBuilder text = new StringBuilder(head).append('\n');
    int signs = width(lines, Line::sign);
    int subjects = Math.min(SUBJECT_MAX, width(lines, Line::subject));
    for (Line line : lines) {
      String form = "    %-" + signs + "s %-" + subjects + "s  %s";
      text.append(form.formatted(line.sign(), line.subject(), line.detail())).append('\n');
    }
    if (!(change instanceof ViewChange.Unplanned)) {
      text.append("    readers ").append(change.readers()).append('\n');
    }
    return text.toString();
  }

  private record Line(String sign, String subject, String detail) {}

  private static int width(List<Line> lines, Function<Line, String> part) {
    return lines.stream().mapToInt(line -> part.apply(line).length()).max().orElse(1);
  }

  private String addition(ViewChange.Addition addition, List<Line> lines) {
    ViewDefinition definition = addition.definition();
    int version = addition.registered().nextVersion();
    String table = ViewDefinition.table(addition.view(), version);
    lines.add(new Line("+", "table " + table, "made by the first run"));
    for (Feature feature : definition.features()) {
      lines.add(new Line("+", subject(feature), typed(definition, feature)));
    }
    return "+ view %s: new, version %d".formatted(addition.view(), version);
  }

  private String inPlace(ViewChange.InPlace inPlace, List<Line> lines) {
    RegisteredVersion live = inPlace.live();
    settings(inPlace.change(), lines);
    for (Feature feature : inPlace.change().added()) {
      lines.add(new Line("+", subject(feature), added(inPlace, feature)));
    }
    for (Feature feature : inPlace.change().dropped()) {
      lines.add(new Line("-", subject(feature), dropped(live, feature)));
    }
    for (String column : live.strayColumns()) {
      lines.add(
          new Line("-", "column " + column, "of %s: no definition has it".formatted(live.table())));
    }
    inPlace
        .withdrawn()
        .ifPresent(pending ->
            lines.add(
                new Line("-", "version " + pending.version(), "pending: it is not computed")));
    return "~ view %s: changed in place, %s".formatted(inPlace.view(), standing(live));
  }

  private String added(ViewChange.InPlace inPlace, Feature feature) {
    String typed = typed(inPlace.definition(), feature);
    if (!inPlace.live().isComputed()) {
      return typed;
    }
    return inPlace.definition().storage() == Storage.JSONB
        ? typed + ", missing until the next run, a full one"
        : typed
            + ", a column of %s, null until the next run, a full one"
                .formatted(inPlace.live().table());
  }

  private String dropped(RegisteredVersion live, Feature feature) {
    String typed = typed(live.definition(), feature);
    if (!live.isComputed()) {
      return typed;
    }
    return live.definition().storage() == Storage.JSONB
        ? typed + ", its values are destroyed as runs write the rows anew"
        : typed + ", a column of %s, its values are destroyed".formatted(live.table());
  }

  private String newVersion(ViewChange.NewVersion newVersion, List<Line> lines) {
    RegisteredVersion live = newVersion.live();
    String table = ViewDefinition.table(newVersion.view(), newVersion.version());
    settings(newVersion.change(), lines);
    for (Remade remade : newVersion.change().remade()) {
      lines.add(new Line("-/+", remade.what(), fromTo(remade.before(), remade.after())));
    }
    for (Feature feature : newVersion.change().added()) {
      lines.add(new Line("+", subject(feature), typed(newVersion.definition(), feature)));
    }
    for (Feature feature : newVersion.change().dropped()) {
      lines.add(new Line("-", subject(feature), typed(live.definition(), feature)));
    }
    if (newVersion.replacesLive()) {
      lines.add(new Line("+", "table " + table, "made by the first run"));
      return "-/+ view %s: made anew, %s".formatted(newVersion.view(), standing(live));
    }
    newVersion
        .registered()
        .pending()
        .ifPresent(pending ->
            lines.add(
                new Line(
                    "-/+",
                    "version " + pending.version(),
                    "pending since %s: replaced by this one".formatted(pending.createdAt()))));
    lines.add(new Line("+", "table " + table, "made by the next run, a full one"));
    lines.add(
        new Line(
            "",
            "table " + live.table(),
            "stays, also when version %d is retired".formatted(live.version())));
    return "-/+ view %s: version %d beside the live one, %s"
        .formatted(newVersion.view(), newVersion.version(), standing(live));
  }

  private static String removal(ViewChange.Removal removal, List<Line> lines) {
    List<RegisteredVersion> versions = removal.registered().versions();
    versions.forEach(version -> lines.add(gone(version)));
    return "- view %s: not in the config any more".formatted(removal.view());
  }

  private static String prune(ViewChange.Prune prune, List<Line> lines) {
    prune.versions().forEach(version -> lines.add(gone(version)));
    return "- view %s: retired versions".formatted(prune.view());
  }

  private static Line gone(RegisteredVersion version) {
    return version.isComputed()
        ? new Line(
            "-",
            "table " + version.table(),
            "version %d, %s, %s: destroyed"
                .formatted(
                    version.version(), version.state().id(), ViewChange.rowCount(version.rows())))
        : new Line("-", "version " + version.version(), version.state().id() + ", never computed");
  }

  private static String unplanned(ViewChange.Unplanned unplanned) {
    return "! view %s: it can't be found out what is to be done (%s)\n    %s"
        .formatted(unplanned.view(), unplanned.code(), unplanned.detail().replace("\n", "\n    "));
  }

  private static void settings(DefinitionChange change, List<Line> lines) {
    for (Setting setting : change.settings()) {
      lines.add(new Line("~", setting.name(), fromTo(setting.before(), setting.after())));
    }
  }

  private static String fromTo(Optional<String> before, Optional<String> after) {
    return before.orElse("(none)") + " -> " + after.orElse("(none)");
  }

  private static String subject(Feature feature) {
    return "feature " + feature.name();
  }

  /** Returns the type of a feature and what it is in the table. */
  private String typed(ViewDefinition definition, Feature feature) {
    return definition.storage() == Storage.JSONB
        ? feature.type() + " in features"
        : feature.type() + " as " + columnTypes.apply(feature.type());
  }

  /** Says which version is live, in which table, and how many rows it has. */
  private static String standing(RegisteredVersion live) {
    return live.isComputed()
        ? "version %d in %s, %s"
            .formatted(live.version(), live.table(), ViewChange.rowCount(live.rows()))
        : "version %d, never computed".formatted(live.version());
  }

  private static String summary(ChangePlan plan) {
    Counts counts = Counts.of(plan);
    StringBuilder text = new StringBuilder();
    if (plan.changesAnything()) {
      text.append("Plan: ").append(counts.words()).append('.');
    } else if (counts.unplanned() == 0) {
      text.append("No changes: ")
          .append(
              switch (counts.unchanged()) {
                case 0 -> counts.undeclared() == 0 ? "there is no view." : "no view is declared.";
                case 1 -> "1 view is registered as the config has it.";
                default -> counts.unchanged() + " views are registered as the config has them.";
              });
    } else {
      text.append("No changes known: ").append(counts.words()).append('.');
    }
    List<String> destroys = plan.destroys();
    if (!destroys.isEmpty()) {
      text.append("\nDestroyed for good: ").append(String.join("; ", destroys)).append('.');
    }
    return text.toString();
  }

  /** How many views become what. */
  private record Counts(
      int added,
      int inPlace,
      int newVersions,
      int removed,
      int pruned,
      int unchanged,
      int undeclared,
      int unplanned) {
    static Counts of(ChangePlan plan) {
      return new Counts(
          count(plan, ViewChange.Addition.class),
          count(plan, ViewChange.InPlace.class),
          count(plan, ViewChange.NewVersion.class),
          count(plan, ViewChange.Removal.class),
          count(plan, ViewChange.Prune.class),
          count(plan, ViewChange.Unchanged.class) - undeclared(plan),
          undeclared(plan),
          count(plan, ViewChange.Unplanned.class));
    }

    private static int count(ChangePlan plan, Class<? extends ViewChange> kind) {
      return (int) plan.changes().stream().filter(kind::isInstance).count();
    }

    private static int undeclared(ChangePlan plan) {
      return (int)
          plan.changes().stream()
              .filter(change ->
                  change instanceof ViewChange.Unchanged unchanged
                      && unchanged.definition().isMigrated())
              .count();
    }

    String words() {
      List<String> words = new ArrayList<>();
      add(words, added, "to add");
      add(words, inPlace, "to change in place");
      add(words, newVersions, "to get a new version");
      add(words, removed, "to remove");
      add(words, pruned, "to prune");
      add(words, unchanged, "unchanged");
      add(words, undeclared, "not declared yet");
      add(words, unplanned, "not planned");
      return String.join(", ", words);
    }

    private static void add(List<String> words, int count, String what) {
      if (count > 0) {
        words.add(String.format(Locale.ROOT, "%,d %s", count, what));
      }
    }
  }
}
