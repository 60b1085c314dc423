/**
 * What a feature view computes, whichever engine runs it: the logical plan, the planner that makes
 * it from definitions, and its types.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.plan;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
