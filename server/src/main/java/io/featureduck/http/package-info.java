/** The HTTP side: requests in, lookups and the state of the store asked, answers as bytes out. */
@NullMarked
@CheckReturnValue
package io.featureduck.http;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
