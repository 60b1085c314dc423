/**
 * Which definitions of views are registered, and how they differ from those of the config: the
 * classes of difference, the plan that 'featureduck plan' shows and 'apply' carries out, and its
 * forms. Nothing here asks a database.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.registry;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
