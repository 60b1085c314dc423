/**
 * What can go wrong, under stable codes: one exception type whose code decides the HTTP status, the
 * problem type and the log level.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.error;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
