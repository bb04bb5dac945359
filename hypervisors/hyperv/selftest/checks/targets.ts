import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Facts } from '../../../../model/selftest.ts';
import { namesIn } from '../../../../system/names-in.ts';
import type { Target } from '../../../contract.ts';
import { virtualDiskIdOf } from '../../page-83.ts';
import { ofTargets, targetIds, targetRecords } from '../../record.ts';
import { letGo } from '../../scsi-disks.ts';
import { type Check, failed } from '../check.ts';
import { difference, readUntilItFails, readWhole, writeWhole } from '../disk-content.ts';
import type { Trial } from '../trial.ts';
import { timed } from './driver.ts';

/** The disks to fill: made by the host, and seen by the appliance. */
export const targetChecks: Check<Trial>[] = [
	{
		name: 'targets-made',
		why: 'a disk to fill is a dynamic VHDX; every recovery begins with one',
		expected: 'the host makes them, with an identifier of their own each',
		needs: ['driver-answers'],
		run: async ({ machine, definition, parts }, signal) => {
			const [, ms] = await timed(() => machine.makeTargets({ signal }));
			const record = await targetRecords.of(definition, ofTargets(parts.paths));
			const ids = record.ids.filter(id => id !== null);
			return {
				asExpected: new Set(ids).size === definition.disks.length,
				seen: `${ids.length} in ${ms} ms: ${ids.join(', ')}`,
				facts: { ids, ms },
			};
		},
	},
	{
		name: 'targets-attached',
		why: 'the appliance knows a disk by page 83 alone, and a wrong one would be written over',
		expected: 'disks come to the appliance while it runs, and page 83 has the vendor Msft and the whole VirtualDiskId',
		needs: ['targets-made'],
		run: async (trial, signal) => {
			const { machine, definition, parts } = trial;
			try {
				const [targets, ms] = await timed(() => machine.openTargets({ signal }));
				const pages = await pagesOf(trial);
				const ids = await targetIds(definition, parts.paths);
				const found = targets.map(({ path }) => idIn(pages[basename(path)]));
				return {
					asExpected: ids.every((id, at) => id === found[at]),
					seen: `${targets.map(({ path }, at) => `${path} is ${found[at] ?? 'nobody'}`).join(', ')}; after ${ms} ms`,
					facts: { ms, pages },
				};
			} catch (error) {
				signal.throwIfAborted();
				return failed(error, { pages: await pagesOf(trial) });
			}
		},
	},
	{
		name: 'targets-filled',
		why: 'blocks that are zero are not written: a new disk must read zero, and keep what is written',
		expected: 'each reads zero everywhere, and then what was written',
		needs: ['targets-attached'],
		run: async (trial, signal) => {
			const facts: Facts = {};
			const problems = await fillTargets(trial, facts, signal);
			return { asExpected: problems.length === 0, seen: problems.join('; ') || 'so it is', facts };
		},
	},
	{
		name: 'target-taken-away',
		why: 'a disk is taken from the appliance while that runs, and other disks of it are at work',
		expected: 'under load the kernel lets it go, the host takes it away, and it comes back as it was',
		needs: ['targets-filled'],
		run: takenAway,
	},
];

/** Returns what was otherwise than it was to be. */
export async function fillTargets(trial: Trial, facts: Facts, signal: AbortSignal): Promise<string[]> {
	const problems: string[] = [];
	for (const [at, { path }] of (await trial.machine.openTargets({ signal })).entries()) {
		const wanted = bytesOf(trial, at);
		const before = await readWhole(path, wanted.length);
		if (before.some(byte => byte !== 0)) problems.push(`${path} does not read zero when it is new`);
		const [, ms] = await timed(() => writeWhole(path, wanted));
		facts[`disk${at}WrittenMs`] = ms;
		const differs = difference(await readWhole(path, wanted.length), wanted);
		if (differs !== undefined) problems.push(`${path}: ${differs}`);
	}
	return problems;
}

async function takenAway(trial: Trial, signal: AbortSignal): ReturnType<Check<Trial>['run']> {
	const { machine, settings, definition, parts, times } = trial;
	const last = definition.disks.length - 1;
	const disk = definition.disks[last];
	const target: Target | undefined = (await machine.openTargets({ signal }))[last];
	const id = (await targetIds(definition, parts.paths))[last];
	if (disk === undefined || target === undefined || id === undefined) throw new Error('there is no second disk');
	const stop = new AbortController();
	const reading = readUntilItFails(target.path, disk.sizeBytes, stop.signal);
	try {
		await delay(times.loadMs, undefined, { signal });
		const { recoveryId } = definition;
		const [, letGoMs] = await timed(() => letGo(settings.roots, id));
		const detach = { recoveryId, appliance: settings.appliance, path: parts.paths.windows.target(disk) };
		const [, detachedMs] = await timed(() => settings.driver.ask('detach-target', detach, { signal }));
		stop.abort();
		const load = await reading;
		const [again, backMs] = await timed(() => machine.openTargets({ signal }));
		const wanted = bytesOf(trial, last);
		const differs = difference(await readWhole(again[last]?.path ?? '', wanted.length), wanted);
		return {
			asExpected: differs === undefined,
			seen: `let go in ${letGoMs} ms, taken away in ${detachedMs} ms, back in ${backMs} ms${differs ? `, and ${differs}` : ''}; ${load.reads} reads beside it, which ended with ${load.error ?? 'none failed'}`,
			facts: { letGoMs, detachedMs, backMs, load },
		};
	} finally {
		stop.abort();
		await reading;
	}
}

export function bytesOf({ server }: Trial, disk: number): Buffer {
	const bytes = server.disks[disk]?.bytes;
	if (bytes === undefined) throw new Error(`there is no disk ${disk}`);
	return bytes;
}

/** Page 83 of every disk that the appliance's kernel knows, as hexadecimal digits. */
async function pagesOf({ settings: { roots } }: Trial): Promise<Record<string, string>> {
	const pages: Record<string, string> = {};
	for (const name of await namesIn(join(roots.sys, 'block'))) {
		// Many have none, and some go at this moment.
		const page = await readFile(join(roots.sys, 'block', name, 'device', 'vpd_pg83')).catch(() => undefined);
		if (page) pages[name] = page.toString('hex');
	}
	return pages;
}

function idIn(page: string | undefined): string | undefined {
	return page === undefined ? undefined : virtualDiskIdOf(Buffer.from(page, 'hex'));
}
