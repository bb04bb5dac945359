import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../../../model/errors.ts';
import type { Facts } from '../../../../model/selftest.ts';
import { readChain } from '../../chain.ts';
import { lookSettled } from '../../look.ts';
import type { Check, Seen } from '../check.ts';
import type { Trial } from '../trial.ts';
import { Watch } from '../watch.ts';
import { contentKept, switched } from './switch.ts';
import { fillTargets } from './targets.ts';

/**
 * Another machine, whose overlays are those of a checkpoint: when all of these are as expected, recoveries of this host may have
 * such ones. They begin where the others have shown that disks, volume and switch are right.
 */
export const checkpointChecks: Check<Trial>[] = [
	{
		name: 'checkpoint-starts',
		why: 'its checkpoint names an empty disk, and Windows may read that, or refuse what is over another one',
		expected:
			'a machine starts whose overlay was made by a checkpoint and then put over the volume, and its guest reads',
		needs: ['machine-runs', 'content-kept'],
		run: starts,
	},
	{
		name: 'checkpoint-switched',
		why: 'the filled disk takes the place that the checkpoint names, while the guest is saved',
		expected: 'its guest is saved, its disks are put in their places, and it goes on',
		needs: ['checkpoint-starts', 'switched'],
		run: switched,
	},
	{
		name: 'checkpoint-merged',
		why: 'Windows merges what a checkpoint has left by itself: into the file that it stands on, or into another',
		expected: 'while the guest runs, its only disks become the filled ones, each where its checkpoint was made',
		needs: ['checkpoint-switched'],
		run: merged,
	},
	{
		name: 'checkpoint-content',
		why: 'what the guest wrote before, in and after the switch is in the overlay alone until it is merged',
		expected: 'the disks hold what they were filled with and what the guest wrote, which was started once',
		needs: ['checkpoint-merged'],
		run: async (trial, signal) => {
			await trial.machine.powerOff({ signal });
			return contentKept(trial, signal);
		},
	},
];

async function starts(trial: Trial, signal: AbortSignal): Promise<Seen> {
	const { machine, server } = trial;
	const facts: Facts = {};
	await machine.makeTargets({ signal });
	const problems = await fillTargets(trial, facts, signal);
	if (problems.length > 0) throw new RouseError('machine_failed', problems.join('; '));
	await machine.create({ signal });
	const files = await machine.volume?.();
	if (files === undefined) throw new RouseError('internal', 'the machine has no volume');
	await server.start(files);
	await machine.presentBase({ signal });
	await machine.snapshot({ signal });
	await trial.start(signal);
	const readsAfterMs = await new Watch(trial).untilItGoesOn(signal);
	const chain = (await readChain(trial.parts, { signal })).map(disk => disk.files.map(({ path }) => path).join(' on '));
	return {
		asExpected: readsAfterMs !== undefined,
		seen: `${chain.join('; ')}; ${readsAfterMs === undefined ? 'no reads of its guest came' : `its guest read ${readsAfterMs} ms after it was started`}`,
		facts: { ...facts, readsAfterMs: readsAfterMs ?? null, chain },
		leadsNowhere: readsAfterMs === undefined,
	};
}

/** The switch has told Windows to; a guest of 64 MiB has written next to nothing. */
async function merged(trial: Trial, signal: AbortSignal): Promise<Seen> {
	const { parts, times } = trial;
	const begun = performance.now();
	const deadline = begun + times.goesOnMs;
	let chain = await readChain(parts, { signal });
	while (chain.some(({ files }) => files.length > 1) && performance.now() < deadline) {
		await delay(times.lookEveryMs, undefined, { signal });
		chain = await readChain(parts, { signal });
	}
	const { windows } = parts.paths;
	const elsewhere = chain.filter(({ stand }) => stand === 'foreign').flatMap(({ files }) => files[0]?.path ?? []);
	trial.strays = elsewhere.filter(path => path.startsWith(`${windows.directory}\\`));
	const { state, hasOwnCheckpoint } = await lookSettled(parts, { signal });
	const files = chain.map(disk => disk.files.map(({ path }) => path).join(' on '));
	const ms = Math.round(performance.now() - begun);
	return {
		asExpected: state === 'Running' && !hasOwnCheckpoint && chain.every(({ stand }) => stand === 'alone'),
		seen: `${files.join('; ')}, after ${ms} ms; the machine is ${state}${hasOwnCheckpoint ? ', and has its checkpoint still' : ''}`,
		facts: { ms, chain, wanted: parts.definition.disks.map(disk => windows.place(disk)) },
	};
}
