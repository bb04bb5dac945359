/** The self test of a Hyper-V host: asks it everything that is known of Windows from documentation alone. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import type { CheckResult, SelftestReport } from '../../../model/selftest.ts';
import type { HostSettings } from '../parts.ts';
import { type Check, runChecks } from './check.ts';
import type { Overlay } from '../hardware.ts';
import { byHandChecks } from './checks/by-hand.ts';
import { checkpointChecks } from './checks/checkpoint.ts';
import { driverChecks } from './checks/driver.ts';
import { machineChecks } from './checks/machine.ts';
import { storageAwayChecks } from './checks/storage-away.ts';
import { switchChecks } from './checks/switch.ts';
import { targetChecks } from './checks/targets.ts';
import { readRecord, removeRecord, type SelftestRecord, writeRecord } from './record.ts';
import { removeAll } from './remove.ts';
import { type Times, usualTimes } from './times.ts';
import { Trial } from './trial.ts';

export interface SelftestOptions {
	settings: HostSettings;
	/** Durable, of self tests alone. One at a time may use it. */
	directory: string;
	/** For sockets. */
	runDirectory: string;
	/** Of Rouse. */
	version: string;
	/** What the driver uses, by cmdlet. */
	cmdlets: Readonly<Record<string, string[]>>;
	long: boolean;
	signal: AbortSignal;
	/** Of each of the two disks of the throw-away machine. */
	diskBytes?: number | undefined;
	times?: Times | undefined;
	message: (text: string) => void;
	trying: (name: string) => void;
	tell: (result: CheckResult) => void;
}

const usualDiskBytes = 64 * 2 ** 20;

/**
 * Leaves nothing on the host, also when it is interrupted; what an earlier one has left is removed before anything else, and
 * throws when that cannot be. It touches nothing of recoveries.
 */
export async function selftest(options: SelftestOptions): Promise<SelftestReport> {
	const { settings, directory, diskBytes = usualDiskBytes, signal, version, long } = options;
	const startedAt = new Date();
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const earlier = await readRecord(directory);
	if (earlier) await removeEarlier(options, earlier);
	const { datastore, appliance } = settings;
	const record: SelftestRecord = { version: 0, recoveryId: randomUUID(), diskBytes, datastore, appliance };
	await writeRecord(directory, record);
	const first = await trialOf(options, record, 'child');
	const ofChild = await runChecks(checksOf(options, first), first, options);
	const begun = performance.now();
	const { checks: ofCheckpoint, left } = await removedAndTriedByCheckpoint(options, record, { first, ofChild });
	const checks = [...ofChild, ...ofCheckpoint];
	const cleared = nothingLeft(left, Math.round(performance.now() - begun));
	options.tell(cleared);
	return {
		version: 0,
		rouse: version,
		startedAt: startedAt.toISOString(),
		durationMs: Date.now() - startedAt.getTime(),
		long,
		interrupted: signal.aborted,
		checks: [...checks, cleared],
		settings: settingsOf(checks),
		left,
	};
}

/** The second machine has the places of the first, and comes when nothing of that is left. */
async function removedAndTriedByCheckpoint(
	options: SelftestOptions,
	record: SelftestRecord,
	{ first, ofChild }: { first: Trial; ofChild: CheckResult[] },
): Promise<{ checks: CheckResult[]; left: string[] }> {
	options.message('removing what was made');
	const left = await removeAll(first);
	if (left.length > 0) return { checks: [], left };
	const second = await trialOf(options, record, 'checkpoint');
	const before = ofChild.filter(({ outcome }) => outcome === 'as_expected').map(({ name }) => name);
	const checks = await runChecks(checkpointChecks, second, { ...options, before });
	left.push(...(await removeAll(second)));
	if (left.length === 0) await removeRecord(options.directory);
	return { checks, left };
}

function checksOf({ cmdlets }: SelftestOptions, { times }: Trial): Check<Trial>[] {
	return [
		...driverChecks(cmdlets),
		...targetChecks,
		...machineChecks,
		...storageAwayChecks(times),
		...switchChecks,
		...byHandChecks,
	];
}

async function trialOf(
	options: SelftestOptions,
	{ recoveryId, diskBytes, ...place }: SelftestRecord,
	overlay: Overlay,
): Promise<Trial> {
	const { datastore, appliance } = place;
	const trial = new Trial({
		settings: { ...options.settings, datastore, appliance },
		recoveryId,
		diskBytes,
		directory: join(options.directory, 'machine'),
		runDirectory: join(options.runDirectory, 'selftest'),
		times: options.times ?? usualTimes,
		overlay,
	});
	for (const path of [trial.definition.directory, trial.definition.runDirectory])
		await mkdir(path, { recursive: true, mode: 0o700 });
	return trial;
}

async function removeEarlier(options: SelftestOptions, record: SelftestRecord): Promise<void> {
	options.message(`removing what an earlier self test has left (${record.recoveryId})`);
	const left = await removeAll(await trialOf(options, record, 'child'));
	if (left.length === 0) return removeRecord(options.directory);
	throw new RouseError('host_busy', `what an earlier self test has left cannot be removed: ${left.join('; ')}`, {
		hint: 'look on the host what stands in its way; a self test is tried again from there',
	});
}

function nothingLeft(left: string[], durationMs: number): CheckResult {
	return {
		name: 'nothing-left',
		why: 'a discarded recovery must leave nothing on its host',
		expected: 'machine, disks, volume and session are gone',
		outcome: left.length === 0 ? 'as_expected' : 'otherwise',
		seen: left.join('; ') || `gone in ${durationMs} ms`,
		hresult: null,
		durationMs,
		facts: {},
	};
}

/** How machines get their overlays, and so how they are finished. By checkpoint only where nothing speaks against it. */
function settingsOf(checks: readonly CheckResult[]): SelftestReport['settings'] {
	const otherwise = (names: readonly string[]) =>
		names.filter(name => checks.find(check => check.name === name)?.outcome !== 'as_expected');
	const against = otherwise(checkpointChecks.map(({ name }) => name));
	if (against.length === 0)
		return [
			{
				what: 'overlay',
				chosen: 'checkpoint',
				why: 'all that it needs was seen: `overlay: child` in config.yaml forbids it',
			},
			{ what: 'finish', chosen: 'merge while it runs', why: 'Hyper-V merges a checkpoint by itself' },
		];
	const merges = otherwise(['merged']).length === 0 ? 'as it was tried here' : 'which was not seen to work here';
	return [
		{ what: 'overlay', chosen: 'child', why: `checkpoint is not to be had: ${against.join(', ')} not as expected` },
		{ what: 'finish', chosen: 'merge when off', why: `it follows from the overlay, ${merges}` },
	];
}
