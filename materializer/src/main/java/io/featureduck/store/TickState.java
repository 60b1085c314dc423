package io.featureduck.store;

/**
 * What the store knows of a view's latest ticks.
 *
 * @param paused whether no schedule of the view is to be run
 * @param everRun whether there was any run of the view
 * @param running whether a run goes on that gave a sign of life within the lease
 * @param batchDone whether a run satisfies the tick of the batch schedule
 * @param fullDone whether a run satisfies the tick of the full refresh schedule
 */
public record TickState(
    boolean paused, boolean everRun, boolean running, boolean batchDone, boolean fullDone) {}
