/**
 * The online store's blocking side: its tables, what is registered in them, and the one transaction
 * that writes a run.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.store;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
