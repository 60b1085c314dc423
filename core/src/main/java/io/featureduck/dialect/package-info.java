/**
 * Renders logical plans as the SQL of one engine; what differs between engines stands side by side
 * here.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.dialect;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
