/** What is told on the event bus: addresses and the shape of each record. */
@NullMarked
@CheckReturnValue
package io.featureduck.event;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
