package io.featureduck.plan;

import io.featureduck.type.FeatureType;

/** A feature of a view: its name, which is its column in the online store, and its type. */
public record Feature(String name, FeatureType type) {}
