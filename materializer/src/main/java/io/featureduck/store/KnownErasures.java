package io.featureduck.store;

/**
 * The tombstones of a view as a run found them before it read its sources. Only of these can it say
 * that the source no longer has their entities: one that was asked for again, or anew, while the
 * run went on, may be of an entity that came to the source after the run had read it.
 *
 * @param last the newest erasure that one of them is of; 0 where there is none
 */
public record KnownErasures(long last) {
  /** Of a view without tombstones. */
  public static final KnownErasures NONE = new KnownErasures(0);
}
