/**
 * Sources as they really are: their columns, their clock, and the rows of theirs that no run takes.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.source;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
