/**
 * JSON as bytes: what lookups answer and stores keep, written by hand, without a tree in between.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.json;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
