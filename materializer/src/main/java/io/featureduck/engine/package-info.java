/** The engine that computes a plan: DuckDB, its extensions, its sessions and its results. */
@NullMarked
@CheckReturnValue
package io.featureduck.engine;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
