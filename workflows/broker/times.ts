/** How long the broker waits for what, in ms. */
export const brokerTimes = {
	/** A request that has waited so long goes before newer ones of the next higher priority; so nobody is passed for ever. */
	ageing: 10 * 60_000,
	/** How often, while somebody waits, holders are asked whether they are open, and hosts what became of orphaned leases. */
	sweep: 60_000,
	/**
	 * A broker that comes up empty waits so long for hosts that do not report. After a disaster some never will; what they
	 * have is unknown and thus not granted, and what their recoveries hold elsewhere these tell themselves.
	 */
	rebuild: 2 * 60_000,
} as const;

/** Holders asked in one sweep: an activity that describes so many workflows takes some seconds. */
export const askedAtOnce = 500;
