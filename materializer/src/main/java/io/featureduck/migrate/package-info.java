/**
 * Takes over a store that keeps the rows of all views in one table with a JSONB column: its rows
 * are copied into typed tables, one per view, while the old system writes on; then the views go
 * live at once and the old table is renamed away.
 *
 * <p>docs/decisions/021 has the phases and why none of them loses a write. What is done with the
 * old table is PostgreSQL's SQL; the store is one, too.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.migrate;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
