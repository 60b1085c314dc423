package io.featureduck.expression;

/** An expression that can't be read. The message says what was found and what is expected. */
public final class ExpressionSyntaxException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int column;

  public ExpressionSyntaxException(int column, String message) {
    super(message);
    this.column = column;
  }

  /** Returns where in the text, from 1. */
  public int column() {
    return column;
  }
}
