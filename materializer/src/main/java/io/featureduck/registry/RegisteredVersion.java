package io.featureduck.registry;

import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A version of a view as the online store has it.
 *
 * @param hash of the definition as it was written; {@link ViewDefinition#hash} of what is read may
 *     be another one
 * @param createdBy who applied it, for people
 * @param rows of its online table as its last run left them; empty where it was never computed, and
 *     then there is no table
 * @param unfilled whether it has features that no run has computed yet, so that the next one has to
 *     be a full one
 * @param strayColumns columns of its table that its definition has not: what an apply that was
 *     ended in the middle of dropping a feature left behind
 */
public record RegisteredVersion(
    int version,
    State state,
    ViewDefinition definition,
    String hash,
    Instant createdAt,
    String createdBy,
    Optional<Long> rows,
    boolean unfilled,
    List<String> strayColumns) {
  public RegisteredVersion {
    strayColumns = List.copyOf(strayColumns);
  }

  /** Returns this with the columns that its definition has not. */
  public RegisteredVersion withStrayColumns(List<String> columns) {
    return new RegisteredVersion(
        version, state, definition, hash, createdAt, createdBy, rows, unfilled, columns);
  }

  /** Returns the name of the online table, without its schema. */
  public String table() {
    return ViewDefinition.table(definition.view(), version);
  }

  /** Tells whether a run has computed it, so that it has a table. */
  public boolean isComputed() {
    return rows.isPresent();
  }

  /** What a version is for. A view has one live version, and at most one pending one. */
  public enum State {
    /** What readers are answered from. */
    LIVE,
    /** The next run computes it and makes it live. */
    PENDING,
    /** Was live; its table is kept. */
    RETIRED;

    private final String id = name().toLowerCase(Locale.ROOT);

    /** Returns the name in answers. */
    public String id() {
      return id;
    }
  }
}
