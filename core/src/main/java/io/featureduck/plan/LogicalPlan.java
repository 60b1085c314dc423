package io.featureduck.plan;

import io.featureduck.definition.Aggregation;
import io.featureduck.definition.Source;
import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.Column;
import io.featureduck.type.FeatureType;
import java.util.List;
import java.util.Optional;

/** What a feature view computes, whichever engine runs it. Immutable. */
public sealed interface LogicalPlan {
  /**
   * All rows of a source, in no particular order, with the columns of {@code schema} in the types
   * that it gives: where the source has another, the value is converted. A TIMESTAMP without zone,
   * and a DATE that is to be a TIMESTAMP (at midnight), is read in the source's timezone.
   */
  record Scan(Source source, SourceSchema schema) implements LogicalPlan {}

  /**
   * Rows of {@code scan} that a run has put into a table of its session, as the source has them;
   * which of them, is told in {@link Increment}.
   */
  record Fetched(String table, Scan scan) implements LogicalPlan {}

  /**
   * The rows of a SELECT that a user wrote, in which each of {@code inputs} is a table of its name.
   *
   * @param schema what the SELECT gives; empty until an engine has told
   */
  record Query(String sql, List<Input> inputs, SourceSchema schema) implements LogicalPlan {
    public Query {
      inputs = List.copyOf(inputs);
    }

    /** A table that the SELECT may name. */
    public record Input(String name, LogicalPlan plan) {}
  }

  /** The rows of {@code input} for which {@code predicate} is true; NULL drops the row. */
  record Filter(LogicalPlan input, Expression predicate) implements LogicalPlan {}

  /**
   * The columns of {@code left}, and those of {@code right} in {@code columns} as {@code
   * name.column}; a column so named is a {@link Column} with a source.
   *
   * @param type LEFT keeps a left row without partner, with NULLs; NULL equals nothing
   */
  record Join(
      LogicalPlan left,
      LogicalPlan right,
      String name,
      io.featureduck.definition.Join.Type type,
      List<On> on,
      List<String> columns)
      implements LogicalPlan {
    public Join {
      on = List.copyOf(on);
      columns = List.copyOf(columns);
      if (on.isEmpty()) {
        throw new IllegalArgumentException("join with %s on no column".formatted(name));
      }
    }

    /** Columns that must be equal, of the left and of the right side. */
    public record On(Column left, Column right) {}
  }

  /**
   * The newest row per value of {@code keys}: the last one in the order of {@code order}, in which
   * a NULL is older than any value.
   */
  record LatestPerEntity(LogicalPlan input, List<Column> keys, List<Column> order)
      implements LogicalPlan {
    public LatestPerEntity {
      keys = List.copyOf(keys);
      order = List.copyOf(order);
    }
  }

  /**
   * A row per value of {@code keys}, or one row in all where there is none: the keys, then the
   * measures.
   *
   * @param order from the oldest to the newest row, NULLs being oldest: what FIRST, LAST and LAST_N
   *     go by
   */
  record Aggregate(LogicalPlan input, List<Named> keys, List<Measure> measures, List<Column> order)
      implements LogicalPlan {
    public Aggregate {
      keys = List.copyOf(keys);
      measures = List.copyOf(measures);
      order = List.copyOf(order);
    }
  }

  /** The {@code columns} of each row of {@code input}, in their order. */
  record Project(LogicalPlan input, List<Named> columns) implements LogicalPlan {
    public Project {
      columns = List.copyOf(columns);
    }
  }

  /** A value with the name that it gets. */
  record Named(String name, Expression value) {}

  /**
   * An aggregation over those rows of a group for which {@code filter} is true. Over no row, counts
   * are 0 and the rest NULL. All but FIRST, LAST and LAST_N pass over NULLs.
   *
   * @param input empty for a count of rows
   * @param n how many values LAST_N keeps, newest first
   * @param percentile of APPROX_PERCENTILE, between 0 and 1
   * @param type of the result by our rules; an engine may give a wider one, to be cast
   */
  record Measure(
      String name,
      Aggregation.Function function,
      Optional<Expression> input,
      Optional<Expression> filter,
      Optional<Integer> n,
      Optional<Double> percentile,
      FeatureType type) {}
}
