package io.featureduck.main;

import io.featureduck.definition.JoinKey;
import io.featureduck.migrate.MigratedFeature;
import io.featureduck.migrate.MigratedView;
import io.featureduck.migrate.MigrationReport;
import io.featureduck.migrate.Proposal;
import io.featureduck.migrate.Proposal.ProposedView;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import tools.jackson.databind.json.JsonMapper;

/** How a migration stands, for people. */
final class MigrationText {
  private static final JsonMapper JSON = new JsonMapper();

  private MigrationText() {}

  static String of(MigrationReport report) {
    return switch (report.state()) {
      case REFUSED, SHOWN -> of(report.proposal().orElseThrow()) + dependents(report);
      case FOLLOWING ->
          String.format(
              Locale.ROOT,
              "%s\n\n%s: all rows are copied, %,d changes wait. Switch over with --finish.%s",
              views(report),
              report.oldTable(),
              report.queued(),
              dependents(report));
      case FINISHED -> finished(report);
      case ABORTED -> report.oldTable() + " is as it was before its migration";
    };
  }

  static String of(Proposal proposal) {
    StringJoiner text = new StringJoiner("\n");
    for (ProposedView view : proposal.views()) {
      text.add(of(view)).add("");
    }
    proposal.problems().forEach(problem -> text.add("PROBLEM: " + problem));
    return text.toString().stripTrailing();
  }

  private static String of(ProposedView proposed) {
    MigratedView view = proposed.view();
    StringJoiner text = new StringJoiner("\n");
    text.add(
        String.format(
            Locale.ROOT,
            "view %s%s: %,d rows, key %s%s",
            view.view(),
            view.view().equals(view.featureView()) ? "" : " from '" + view.featureView() + "'",
            proposed.rows(),
            String.join("|", view.joinKeys().stream().map(MigrationText::key).toList()),
            view.keySeparator().map(s -> " separated by '" + s + "' there").orElse("")));
    TextTable features = new TextTable("  feature", "type", "from");
    for (MigratedFeature feature : view.features()) {
      features.row("  " + feature.name(), feature.type().toString(), feature.from());
    }
    text.add(features.toString());
    view.ignored().forEach(name -> text.add("  ignored: " + name));
    proposed.notes().forEach(note -> text.add("  note: " + note));
    proposed.problems().forEach(problem -> text.add("  PROBLEM: " + problem));
    return text.toString();
  }

  private static String key(JoinKey key) {
    return key.name() + " " + key.type();
  }

  private static String views(MigrationReport report) {
    TextTable table = new TextTable("view", "rows", "run");
    for (MigrationReport.Moved view : report.views()) {
      table.row(
          view.view(), Long.toString(view.rows()), view.runId().map(String::valueOf).orElse("-"));
    }
    return table.toString();
  }

  /** Returns a line of its own, or nothing. */
  private static String dependents(MigrationReport report) {
    if (report.dependents().isEmpty()) {
      return "";
    }
    String what = String.join(", ", report.dependents());
    return report.state() == MigrationReport.State.FINISHED
        ? "\nSTILL OF THE RENAMED TABLE, make them anew or drop them: " + what
        : "\nNOTE: these will go on with the table that is renamed, and find no new rows there: "
            + what;
  }

  private static String finished(MigrationReport report) {
    StringJoiner text = new StringJoiner("\n");
    text.add(views(report)).add("");
    text.add(
        "%s is now called %s; %s"
            .formatted(
                report.oldTable(),
                report.renamedTo().orElse("otherwise"),
                report
                        .noReadersView()
                        .map(why -> "no view has its name, for " + why)
                        .orElse("a view of its name shows the rows of the new tables")
                    + dependents(report)));
    report.readersNote().ifPresent(note -> text.add("There, " + note));
    if (report.noReadersView().isEmpty()) {
      text.add(
          "Drop it before a migrated view gets a new version, loses a feature or is removed: it reads each view's first table.");
    }
    List<MigratedView> undeclared = MigrationDocument.undeclared(report.plan());
    if (!undeclared.isEmpty()) {
      text.add("")
          .add(
              "Until you declare the views, 'apply' leaves them as they are, unless it is given their names. Once you do, with the source that computes each, runs replace the rows:")
          .add(
              JSON.writerWithDefaultPrettyPrinter()
                  .writeValueAsString(MigrationDocument.config(undeclared)));
    }
    return text.toString();
  }
}
