/** What tests of several modules share: real databases. */
@NullMarked
@CheckReturnValue
package io.featureduck.testing;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
