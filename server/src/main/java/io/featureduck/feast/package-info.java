/**
 * Makes a config of what a Feast repository defines: the repository is run by its own Python, and
 * what can't be had here is told.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.feast;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
