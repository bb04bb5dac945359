/** How long what is measured is let last; a test is in a hurry. */
export interface Times {
	/** For which reads get no answer. MSiSCSI gives one up after 60 s (MaxRequestHoldTime). */
	heldMs: number;
	longHeldMs: number;
	/** For which nothing of the volume answers. */
	awayMs: number;
	longAwayMs: number;
	/** In which a guest is to go on when it can. */
	goesOnMs: number;
	/** Between two looks at the machine. */
	lookEveryMs: number;
	/** Under which load is before a disk is taken away. */
	loadMs: number;
}

const second = 1_000;
const minute = 60 * second;

export const usualTimes: Times = {
	heldMs: minute,
	longHeldMs: 5 * minute,
	awayMs: 90 * second,
	longAwayMs: 10 * minute,
	goesOnMs: 2 * minute,
	lookEveryMs: second,
	loadMs: 3 * second,
};
