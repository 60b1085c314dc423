/**
 * The sample store of {@code up}: an embedded Postgres, a shop's real orders in it, and a file made
 * of them. The one package of the server that speaks JDBC, for it fills a source and reads none.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.sample;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
