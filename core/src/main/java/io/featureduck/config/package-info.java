/**
 * Reads config.json: interpolation, includes, JSON Schema, and validation that reports every
 * mistake at once.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.config;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
