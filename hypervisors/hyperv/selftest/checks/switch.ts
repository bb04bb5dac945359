import { RouseError } from '../../../../model/errors.ts';
import type { SwitchCalls } from '../../../contract.ts';
import { readChain } from '../../chain.ts';
import { lookSettled } from '../../look.ts';
import { settle } from '../../settle.ts';
import { type Check, failed, type Seen } from '../check.ts';
import { difference, readWhole } from '../disk-content.ts';
import { countersOf, written } from '../guest-program.ts';
import type { Trial } from '../trial.ts';
import { ensureRunning, Watch } from '../watch.ts';
import { bytesOf } from './targets.ts';
import { timed } from './driver.ts';

/** From the volume to disks of its own, and what its guest wrote. */
export const switchChecks: Check<Trial>[] = [
	{
		name: 'switched',
		why: 'a saved guest may refuse to go on when its disks have other parents than when it was saved',
		expected: 'its guest is saved, its overlays get the filled disks as their parents, and it goes on',
		needs: ['machine-runs'],
		run: switched,
	},
	{
		name: 'volume-written',
		why: 'the volume is writable for Windows alone: its metadata is private, and the disks on it nobody may change',
		expected: 'Windows writes metadata, and nothing where the disks lie',
		needs: ['volume-there'],
		run: async ({ server: { written: seen } }) => ({
			asExpected: seen.refused.length === 0,
			seen: `${seen.writes} writes of ${seen.writtenBytes} bytes of metadata; refused: ${seen.refused.slice(0, 8).join(', ') || 'none'}`,
			facts: { ...seen },
		}),
	},
	{
		name: 'merged',
		why: 'an overlay made by hand is merged into its parent only while the machine is off',
		expected: 'the filled disks are its only ones afterwards',
		needs: ['switched'],
		run: async ({ machine, parts }, signal) => {
			await machine.powerOff({ signal });
			const [, ms] = await timed(async () => settle(parts, await lookSettled(parts, { signal }), { signal }));
			const chain = await readChain(parts, { signal });
			const isAlone = chain.every(({ stand }) => stand === 'alone');
			const files = chain.map(disk => disk.files.map(({ path }) => path).join(' on '));
			return { asExpected: isAlone, seen: `${ms} ms; ${files.join('; ')}`, facts: { ms, chain } };
		},
	},
	{
		name: 'content-kept',
		why: 'save, new parents, resume and merge must lose no write and bring in no other byte',
		expected:
			'the disks hold what they were filled with and what the guest wrote, which was started as often as it was told to',
		needs: ['merged'],
		run: contentKept,
	},
	{
		name: 'guest-undisturbed',
		why: 'Hyper-V keeps a request that fails, and stops the guest meanwhile',
		expected: 'no request of the guest failed, whatever was done to its volume',
		needs: ['content-kept'],
		run: async ({ counters }) => ({
			asExpected: counters?.failures === 0,
			seen: `${counters?.failures ?? 'an unknown number'} failed, of two in each of ${counters?.rounds ?? 'unknown'} rounds`,
			facts: { ...counters },
		}),
	},
];

export async function switched(trial: Trial, signal: AbortSignal): Promise<Seen> {
	const { machine, parts } = trial;
	await ensureRunning(trial, signal);
	const reached: Record<string, number> = {};
	const begun = performance.now();
	try {
		const { pauseMs } = await machine.switchToTarget(
			callsOf(trial, place => {
				reached[place] = Math.round(performance.now() - begun);
			}),
			{ signal },
		);
		const watch = new Watch(trial);
		await watch.during(trial.times.loadMs, signal);
		const chain = await readChain(parts, { signal });
		const stands = chain.map(({ stand }) => stand);
		const state = watch.timeline.at(-1)?.state;
		const isMergedLive = parts.hardware.overlay === 'checkpoint';
		return {
			// One by checkpoint may be merged by now, and is looked at next.
			asExpected: state === 'Running' && (isMergedLive || stands.every(stand => stand === 'target')),
			seen: `the guest stood still for ${Math.round(pauseMs)} ms, and is ${state} on ${stands.join(', ')}`,
			facts: { pauseMs: Math.round(pauseMs), reached, timeline: watch.timeline },
		};
	} catch (error) {
		signal.throwIfAborted();
		// What was marked stands on disks of its own, and can be merged when its guest does not go on.
		return { ...failed(error, { reached }), leadsNowhere: trial.chain !== 'target' };
	}
}

function callsOf(trial: Trial, reached: (place: string) => void): SwitchCalls {
	let resume: boolean | undefined;
	return {
		get chain() {
			return trial.chain;
		},
		get resume() {
			return resume;
		},
		mark: async chain => void (trial.chain = chain),
		rememberResume: async wanted => void (resume = wanted),
		stopMountMover: () => trial.server.stop(),
		reached: async place => reached(place),
	};
}

export async function contentKept(trial: Trial, signal: AbortSignal): Promise<Seen> {
	const { machine, starts } = trial;
	// The disks go to the appliance again when no machine has them.
	await machine.remove({ signal });
	const problems: string[] = [];
	for (const [at, { path }] of (await machine.openTargets({ signal })).entries()) {
		const wanted = bytesOf(trial, at);
		const found = await readWhole(path, wanted.length);
		const differs = difference(found, wanted, at === 0 ? written : undefined);
		if (differs !== undefined) problems.push(`disk${at}: ${differs}`);
		if (at === 0) trial.counters = countersOf(found);
	}
	const { counters } = trial;
	if (counters === undefined) throw new RouseError('machine_failed', 'what the guest wrote is not on its disk');
	if (counters.boots !== starts)
		problems.push(`its guest was started ${counters.boots} times, not ${starts}: it has not gone on where it was`);
	return {
		asExpected: problems.length === 0,
		seen: `${problems.join('; ') || 'so it is'}; ${counters.rounds} rounds`,
		facts: { ...counters, starts },
	};
}
