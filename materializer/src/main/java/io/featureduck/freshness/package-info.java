/** How old the data of each view is, and whether that is within what its definition asks for. */
@NullMarked
@CheckReturnValue
package io.featureduck.freshness;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
