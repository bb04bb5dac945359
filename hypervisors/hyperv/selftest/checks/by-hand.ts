import { type Check, notTried } from '../check.ts';
import type { Trial } from '../trial.ts';

/** What no program can do for a person, or what no host is asked to do today. */
export const byHandChecks: Check<Trial>[] = [
	{
		name: 'host-boots-anew',
		why: 'Windows logs in to its targets again after a boot, while the appliance is not up yet',
		expected: 'machines stay off, and come on when the appliance has its volume back',
		run: async () =>
			notTried(
				'by hand: start a recovery of a machine that may be lost (rouse recover start), and power it on; shut the host down and start it; see that Windows comes up within its usual time, that rouse recover show says paused or off, and that rouse recover power NAME on lets it go on',
			),
	},
];
