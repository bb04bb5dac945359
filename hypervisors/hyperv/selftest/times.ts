import * as z from 'zod';

const ms = z.number().min(1);

/** How long what is measured is let last; a test is in a hurry. */
export const timesSchema = z.strictObject({
	/** For which reads get no answer. MSiSCSI gives one up after 60 s (MaxRequestHoldTime). */
	heldMs: ms,
	longHeldMs: ms,
	/** For which nothing of the volume answers. */
	awayMs: ms,
	longAwayMs: ms,
	/** In which a guest is to go on when it can. */
	goesOnMs: ms,
	/** Between two looks at the machine. */
	lookEveryMs: ms,
	/** Under which load is before a disk is taken away. */
	loadMs: ms,
});
export type Times = z.infer<typeof timesSchema>;

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
