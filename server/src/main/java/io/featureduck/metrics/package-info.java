/**
 * What is measured and told to Prometheus: counters and histograms that the lookup path moves, how
 * old the views are, and what became of runs.
 */
@NullMarked
@CheckReturnValue
package io.featureduck.metrics;

import com.google.errorprone.annotations.CheckReturnValue;
import org.jspecify.annotations.NullMarked;
