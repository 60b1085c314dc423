package io.featureduck.run;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.Join;
import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.PlanMistake;
import io.featureduck.plan.Planner;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.ViewPlan;
import io.featureduck.source.SourceReader;
import io.featureduck.source.SourceReader.Rejected;
import io.featureduck.source.SourceReader.Snapshot;
import io.featureduck.store.Basis;
import io.featureduck.store.Progress.SourceRead;
import io.featureduck.store.Watermark;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A view's plan over its sources as they are in one DuckDB session, and the instant that it is
 * computed for. All of it happens in one transaction of the session, so what is read of a database
 * is one snapshot of it; those of several databases are as close as one statement follows another.
 */
final class Computation {
  /** What runs: tables over the attached connections, whose snapshot {@code as_of} is read in. */
  private static final DuckDbDialect RUN = DuckDbDialect.overAttached();

  /** What people see: each table scanned by itself. */
  private static final DuckDbDialect SHOWN = new DuckDbDialect();

  private final FeatureView view;
  private final DuckDbSession session;
  private final SourceReader reader;
  private final List<Source> sources;
  private final SourceSchema ownSchema;
  private final ViewPlan plan;
  private final Instant asOf;
  private final List<Watermark> watermarks;

  private Computation(
      FeatureView view,
      DuckDbSession session,
      SourceReader reader,
      List<Source> sources,
      SourceSchema ownSchema,
      ViewPlan plan,
      Instant asOf,
      List<Watermark> watermarks) {
    this.view = view;
    this.session = session;
    this.reader = reader;
    this.sources = sources;
    this.ownSchema = ownSchema;
    this.plan = plan;
    this.asOf = asOf;
    this.watermarks = watermarks;
  }

  /**
   * Inspects the sources and plans.
   *
   * @param wantedAsOf the source's clock where empty
   * @throws FeatureException SOURCE_SCHEMA with all mistakes; SOURCE_UNAVAILABLE, EXTENSION_MISSING
   */
  static Computation of(
      FeatureStore definitions,
      FeatureView view,
      DuckDbSession session,
      InstantSource clock,
      Optional<Instant> wantedAsOf) {
    SourceReader reader = new SourceReader(session, clock);
    List<Source> sources = sources(definitions, view);
    Map<String, SourceSchema> schemas = schemas(reader, sources);
    session.execute("BEGIN TRANSACTION");
    Source own = sources.getFirst();
    // The own source's comes last: of the rows that are joined, none is then from after as_of.
    List<Snapshot> snapshots =
        sources.reversed().stream().map(reader::snapshot).toList().reversed();
    Instant asOf = wantedAsOf.orElseGet(() -> snapshots.getFirst().clock());
    List<Watermark> watermarks = new ArrayList<>();
    for (int i = 0; i < snapshots.size(); i++) {
      watermarks.add(watermark(sources.get(i), snapshots.get(i).complete(), asOf));
    }
    return new Computation(
        view,
        session,
        reader,
        sources,
        schemas.getOrDefault(own.name(), new SourceSchema(List.of())),
        plan(view, sources, schemas, session, asOf),
        asOf,
        watermarks);
  }

  /** Rows may come that are older than {@code as_of}, where the source is behind it. */
  private static Watermark watermark(Source source, Instant complete, Instant asOf) {
    Instant reached = complete.isBefore(asOf) ? complete : asOf;
    return new Watermark(source.name(), reached, SourceHash.of(source));
  }

  /** Returns all mistakes of a view that its sources reveal; empty where there is none. */
  static List<PlanMistake> check(
      FeatureStore definitions, FeatureView view, DuckDbSession session, InstantSource clock) {
    SourceReader reader = new SourceReader(session, clock);
    List<Source> sources = sources(definitions, view);
    Map<String, SourceSchema> schemas = schemas(reader, sources);
    if (view.sql().isEmpty()) {
      return Planner.check(view, sources, schemas);
    }
    try {
      ViewPlan ignored = plan(view, sources, schemas, session, clock.instant());
      return List.of();
    } catch (FeatureException e) {
      if (e.code() != ErrorCode.SOURCE_SCHEMA) {
        throw e;
      }
      return List.of(new PlanMistake("/sql", String.valueOf(e.getMessage())));
    }
  }

  /** Returns the view's own source, then those that it joins. */
  private static List<Source> sources(FeatureStore definitions, FeatureView view) {
    List<String> names = new ArrayList<>();
    names.add(view.source());
    view.joins().stream().map(Join::source).distinct().forEach(names::add);
    return names.stream()
        .distinct()
        .map(name ->
            definitions
                .source(name)
                .orElseThrow(() ->
                    new FeatureException(
                        ErrorCode.INVALID_CONFIG,
                        "view %s: unknown source '%s'".formatted(view.name(), name))))
        .toList();
  }

  private static Map<String, SourceSchema> schemas(SourceReader reader, List<Source> sources) {
    Map<String, SourceSchema> schemas = new LinkedHashMap<>();
    for (Source source : sources) {
      SourceSchema ignored = schemas.put(source.name(), reader.schema(source));
    }
    return schemas;
  }

  private static ViewPlan plan(
      FeatureView view,
      List<Source> sources,
      Map<String, SourceSchema> schemas,
      DuckDbSession session,
      Instant asOf) {
    if (view.sql().isEmpty()) {
      return Planner.plan(view, sources, schemas);
    }
    LogicalPlan.Query query = Planner.query(view, sources, schemas);
    checkOneSelect(view, session);
    List<SourceSchema.Column> columns =
        session.list(
            RUN.describe(query, asOf),
            row -> RUN.column(row.getString("column_name"), row.getString("column_type")));
    return Planner.planSql(view, query, new SourceSchema(columns), sources);
  }

  /** Refuses what is no single SELECT by itself, for it is put into a larger one. */
  private static void checkOneSelect(FeatureView view, DuckDbSession session) {
    String parse =
        """
        SELECT coalesce(parsed->>'error_message', '') AS refused,
          coalesce((parsed->>'position')::BIGINT, 0) + 1 AS position,
          coalesce(json_array_length(parsed, '$.statements'), 0) AS statements
        FROM (SELECT json_serialize_sql(%s) AS parsed)
        """
            .formatted(DuckDb.literal(view.sql().orElseThrow()));
    String mistake =
        session
            .list(
                parse,
                row -> {
                  if (row.getString("refused").startsWith("Only SELECT")) {
                    return "expected one SELECT";
                  }
                  if (!row.getString("refused").isEmpty()) {
                    return "%s at character %d"
                        .formatted(row.getString("refused"), row.getLong("position"));
                  }
                  long statements = row.getLong("statements");
                  return statements == 1
                      ? ""
                      : "expected one SELECT, found %d".formatted(statements);
                })
            .getFirst();
    if (!mistake.isEmpty()) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "view %s can't be computed:\n  /sql: %s".formatted(view.name(), mistake));
    }
  }

  Instant asOf() {
    return asOf;
  }

  /** Returns how far each source is read by this, the view's own first. */
  List<Watermark> watermarks() {
    return watermarks;
  }

  /** Returns why each run of the view reads everything; empty where some need not. */
  Optional<String> alwaysFull() {
    return plan.increment().isPresent() ? Optional.empty() : Optional.of(plan.fullOnly());
  }

  /**
   * Returns why this can't go on from {@code basis}; empty where it can.
   *
   * @param ttl the view's, as it is registered
   */
  String whyFull(Optional<Basis> basis, Optional<Duration> ttl) {
    if (plan.increment().isEmpty()) {
      return plan.fullOnly();
    }
    if (basis.isEmpty()) {
      return "it was never materialized";
    }
    if (asOf.isBefore(basis.get().asOf())) {
      return "the last run was for %s, after %s".formatted(basis.get().asOf(), asOf);
    }
    if (basis.get().ttl().filter(before -> isShorter(before, ttl)).isPresent()) {
      return "rows are missing that a longer ttl has";
    }
    for (Watermark now : watermarks) {
      Watermark before = basis.get().watermarks().get(now.source());
      if (before == null || !before.sourceHash().equals(now.sourceHash())) {
        return "source '%s' is not the one that was read before".formatted(now.source());
      }
    }
    return "";
  }

  private static boolean isShorter(Duration before, Optional<Duration> now) {
    return now.filter(length -> length.compareTo(before) <= 0).isEmpty();
  }

  /** Returns what changed since {@code basis}; {@link #whyFull} tells whether it can be had. */
  Changes changesSince(Basis basis) {
    return new Changes(session, reader, plan.increment().orElseThrow(), basis, asOf);
  }

  /** Looks whether the sources' servers have the indexes that runs of changes need. */
  List<IndexCheck> indexes() {
    List<IndexCheck> checks = new ArrayList<>();
    plan.increment()
        .ifPresent(increment ->
            LookupPaths.of(increment)
                .forEach((path, rows) -> {
                  if (path.source().location() instanceof Source.Table) {
                    checks.add(
                        new IndexCheck(
                            path.source().name(), path.columns(), rows, reader.missingIndex(path)));
                  }
                }));
    return checks;
  }

  /**
   * Returns those of some entities that the view's own source has any row of, also one that no
   * filter lets through or that is from after {@code as_of}; all of them where it can't be told.
   */
  Set<String> inSource(Set<String> keys) {
    if (keys.isEmpty() || plan.entities().isEmpty()) {
      return keys;
    }
    String select =
        "SELECT DISTINCT entity_key FROM (\n%s\n) AS entities WHERE entity_key IN (%s)"
            .formatted(
                RUN.render(plan.entities().get(), asOf),
                keys.stream().map(DuckDb::literal).collect(Collectors.joining(", ")));
    return new HashSet<>(session.list(select, row -> row.getString(1)));
  }

  List<Feature> features() {
    return plan.features();
  }

  /** Returns what runs. It may hold passwords. */
  String sql() {
    return RUN.render(plan.plan(), asOf);
  }

  /** Returns the statement for people: without passwords, each table scanned by itself. */
  String shownSql() {
    return SHOWN.show(plan.plan(), asOf);
  }

  /**
   * Looks for values that a source holds and DuckDB would take for others.
   *
   * @throws FeatureException VALUE_OUT_OF_RANGE
   */
  void checkValues() {
    checkValues(plan.plan());
  }

  private void checkValues(LogicalPlan part) {
    switch (part) {
      case LogicalPlan.Scan scan -> reader.checkNumbers(scan, new RowSelection.All());
      case LogicalPlan.Fetched fetched -> checkValues(fetched.scan());
      case LogicalPlan.Query query -> query.inputs().forEach(input -> checkValues(input.plan()));
      case LogicalPlan.Filter filter -> checkValues(filter.input());
      case LogicalPlan.Join join -> {
        checkValues(join.left());
        checkValues(join.right());
      }
      case LogicalPlan.LatestPerEntity latest -> checkValues(latest.input());
      case LogicalPlan.Aggregate aggregate -> checkValues(aggregate.input());
      case LogicalPlan.Project project -> checkValues(project.input());
    }
  }

  /**
   * Returns what a run of all rows reads of each source; only those of the view's own are counted.
   */
  List<SourceRead> reads(Rejected rejected) {
    return sources.stream()
        .map(source ->
            new SourceRead(
                source.name(),
                Optional.empty(),
                Optional.of(asOf),
                source.equals(sources.getFirst()) ? Optional.of(rejected.rows()) : Optional.empty(),
                reader.files(source)))
        .toList();
  }

  /** Counts the rows of the view's own source, and those that no run takes. */
  Rejected rejected() {
    Source own = sources.getFirst();
    if (own.location() instanceof Source.Table && view.sql().isEmpty()) {
      // The server counts without sending the rows.
      return reader.rejected(own, ownSchema, view.joinKeys(), asOf);
    }
    return rejected(plan.rejected(), session, asOf);
  }

  static Rejected rejected(LogicalPlan counts, DuckDbSession session, Instant asOf) {
    return session
        .list(
            RUN.render(counts, asOf),
            row ->
                new Rejected(
                    row.getLong("rows_read"),
                    row.getLong("null_join_key"),
                    row.getLong("null_event_time"),
                    row.getLong("after_as_of")))
        .getFirst();
  }
}
