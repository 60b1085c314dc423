package io.featureduck.lookup;

import io.featureduck.error.FeatureException;

/**
 * Says that a lookup failed because the view is served by another definition by now, under which it
 * is to be made again. Has no stack trace: it comes by the hundred.
 */
public final class OutdatedViewException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final FeatureException reason;

  OutdatedViewException(FeatureException reason) {
    super(reason.getMessage(), reason, false, false);
    this.reason = reason;
  }

  /** Returns how the lookup failed. */
  public FeatureException reason() {
    return reason;
  }

  /** Returns how a lookup failed, whatever it was. */
  public static Throwable reason(Throwable cause) {
    return cause instanceof OutdatedViewException outdated ? outdated.reason : cause;
  }
}
