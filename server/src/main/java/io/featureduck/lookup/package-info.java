/**
 * The lookup path: which views are served, rows read from the online store in few pipelined
 * queries, rows as the JSON bytes that go to the socket, and the cache of those bytes with its
 * invalidation at every commit.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.lookup;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
