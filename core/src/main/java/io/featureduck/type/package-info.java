/** The types that a feature can have, with their textual form. */
@NullMarked
@CheckReturnValue
package io.featureduck.type;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
