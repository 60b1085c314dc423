/**
 * Side-by-side measurements. Each figure is a ratio against a baseline of the same round on the
 * same machine, for the machines are noisy and an absolute time means nothing.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.loadtest;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
