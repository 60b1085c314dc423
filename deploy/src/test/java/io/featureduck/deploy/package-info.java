/** What is deployed beside a server fits the server. */
@NullMarked
@CheckReturnValue
package io.featureduck.deploy;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
