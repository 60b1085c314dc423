/** JSON as bytes: what the lookup path writes by hand, without a tree in between. */
@NullMarked
@CheckReturnValue
package io.featureduck.json;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
