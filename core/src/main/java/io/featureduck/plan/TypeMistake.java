package io.featureduck.plan;

/** An expression that names or mixes what it can't; the planner adds where it stands. */
final class TypeMistake extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String what;

  TypeMistake(String what) {
    super(what);
    this.what = what;
  }

  String what() {
    return what;
  }
}
