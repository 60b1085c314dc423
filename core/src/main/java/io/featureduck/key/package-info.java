/**
 * Entity keys: the one text form of an entity's join key values, in requests, in the online store
 * and in both engines' SQL.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.key;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
