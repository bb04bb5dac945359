/** What a machine does whose volume does not answer: Windows and Hyper-V have patience of their own. */
import { setTimeout as delay } from 'node:timers/promises';
import { stopTarget } from '../../iscsi/target.ts';
import type { Check, Seen } from '../check.ts';
import type { Trial } from '../trial.ts';
import { ensureRunning, Watch } from '../watch.ts';

const goesOn = 'at worst it stands still, and goes on by itself when the volume is back';

export const storageAwayChecks = ({ heldMs, longHeldMs, awayMs, longAwayMs }: Trial['times']): Check<Trial>[] => [
	heldCheck('reads-held', heldMs),
	awayCheck('target-away', awayMs),
	{ ...heldCheck('reads-held-long', longHeldMs), long: true },
	{ ...awayCheck('target-away-long', longAwayMs), long: true },
];

function heldCheck(name: string, ms: number): Check<Trial> {
	return {
		name,
		why: 'reads wait while a repository is away; the initiator gives up what waits too long, and drops the disk',
		expected: `reads get no answer for ${ms / 1000} s: ${goesOn}`,
		needs: ['machine-runs'],
		run: (trial, signal) =>
			whileAway(trial, ms, signal, {
				begin: async () => trial.server.disks.forEach(disk => disk.hold()),
				end: async () => trial.server.disks.forEach(disk => disk.release()),
			}),
	};
}

function awayCheck(name: string, ms: number): Check<Trial> {
	return {
		name,
		why: 'the appliance is started anew, or its target is: Windows loses the disk and must find it again',
		expected: `the target is away for ${ms / 1000} s: ${goesOn}`,
		needs: ['machine-runs'],
		run: (trial, signal) =>
			whileAway(trial, ms, signal, {
				begin: () => stopTarget({ directory: trial.parts.paths.iscsi }),
				end: () => comesBack(trial, signal),
			}),
	};
}

interface Outage {
	begin: () => Promise<void>;
	end: () => Promise<void>;
}

async function whileAway(trial: Trial, ms: number, signal: AbortSignal, { begin, end }: Outage): Promise<Seen> {
	await ensureRunning(trial, signal);
	const heldBefore = held(trial);
	const watch = new Watch(trial);
	await watch.look();
	await begin();
	try {
		await watch.during(ms, signal);
	} finally {
		await end();
	}
	const stood = await watch.look();
	const byItselfMs = await watch.untilItGoesOn(signal);
	const by = byItselfMs !== undefined ? 'itself' : (await byOrder(trial, watch, signal)) ? 'order' : 'nothing';
	return {
		asExpected: by === 'itself',
		seen: `${watch.text}; ${ways[by]}${byItselfMs === undefined ? '' : `, ${byItselfMs} ms after the volume was back`}`,
		facts: {
			timeline: watch.timeline,
			stateAtReturn: stood,
			goesOnBy: by,
			byItselfMs: byItselfMs ?? null,
			readsHeld: held(trial) - heldBefore,
		},
	};
}

/** Windows may need some time to find it. When nobody waits any more one attempt has to do: what is there is removed next. */
async function comesBack({ machine, times }: Trial, signal: AbortSignal): Promise<void> {
	const deadline = performance.now() + times.goesOnMs;
	for (;;) {
		try {
			await machine.presentBase();
			return;
		} catch (error) {
			if (signal.aborted) return;
			if (performance.now() > deadline) throw error;
			await delay(times.lookEveryMs);
		}
	}
}

const ways = {
	itself: 'it went on by itself',
	order: 'it went on when it was told to (Resume-VM)',
	nothing: 'it does not go on',
} as const;

async function byOrder({ machine }: Trial, watch: Watch, signal: AbortSignal): Promise<boolean> {
	await machine.resume({ signal });
	return (await watch.untilItGoesOn(signal)) !== undefined;
}

function held({ server }: Trial): number {
	return server.disks.reduce((sum, disk) => sum + disk.held, 0);
}
