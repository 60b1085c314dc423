/** The rules that modules and packages keep. */
@NullMarked
@CheckReturnValue
package io.featureduck.architecture;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
