/**
 * Scalar expressions: SQL text parsed into a tree of our own, so that what no engine can run is
 * refused when it is read.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.expression;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
