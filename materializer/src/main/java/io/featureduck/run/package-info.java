/** Runs: one computation of a view up to an instant, and the transaction that writes it. */
@NullMarked
@CheckReturnValue
package io.featureduck.run;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
