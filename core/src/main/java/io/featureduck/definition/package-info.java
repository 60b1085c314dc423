/**
 * What a data team declares: entities, sources, feature views and services, as immutable records
 * that are valid by construction.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.definition;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
