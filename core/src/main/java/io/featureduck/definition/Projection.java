package io.featureduck.definition;

import io.featureduck.expression.Expression;
import io.featureduck.type.FeatureType;
import java.util.Optional;

/**
 * A feature computed from aggregations and join keys or, in a view without aggregations, from the
 * newest row.
 *
 * @param type what the result is cast to, if the expression's own type is not wanted
 */
public record Projection(Expression expression, String alias, Optional<FeatureType> type) {}
