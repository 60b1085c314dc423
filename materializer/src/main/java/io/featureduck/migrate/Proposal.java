package io.featureduck.migrate;

import java.util.List;

/**
 * What the views of the old table are to become, as it is shown before it is used.
 *
 * @param problems that concern no single view
 */
public record Proposal(List<ProposedView> views, List<String> problems) {
  public Proposal {
    views = List.copyOf(views);
    problems = List.copyOf(problems);
  }

  /**
   * One of the views.
   *
   * @param notes what people should know
   * @param problems what keeps it from being migrated
   */
  public record ProposedView(
      MigratedView view, long rows, List<String> notes, List<String> problems) {
    public ProposedView {
      notes = List.copyOf(notes);
      problems = List.copyOf(problems);
    }
  }

  /** Tells whether something was found from the rows alone, so that someone has to accept it. */
  public boolean isInferred() {
    return views.stream().anyMatch(view -> view.view().inferred());
  }

  /** Tells whether something keeps the table from being migrated. */
  public boolean hasProblems() {
    return !problems.isEmpty() || views.stream().anyMatch(view -> !view.problems().isEmpty());
  }

  public MigrationPlan plan() {
    return new MigrationPlan(views.stream().map(ProposedView::view).toList());
  }
}
