package io.featureduck.plan;

import io.featureduck.definition.Source;

/** What a feature view computes, whichever engine runs it. Immutable. */
public sealed interface LogicalPlan {
  /** All rows of a source, in no particular order. */
  record Scan(Source source, SourceSchema schema) implements LogicalPlan {}
}
