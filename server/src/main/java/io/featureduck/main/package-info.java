/** The command line, and the one place where everything is wired. */
@NullMarked
@CheckReturnValue
package io.featureduck.main;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
