/** The self test of a Hyper-V host: asks it everything that is known of Windows from documentation alone. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import type { CheckResult, SelftestReport } from '../../../model/selftest.ts';
import type { HostSettings } from '../parts.ts';
import { type Check, runChecks } from './check.ts';
import { byHandChecks } from './checks/by-hand.ts';
import { driverChecks } from './checks/driver.ts';
import { machineChecks } from './checks/machine.ts';
import { storageAwayChecks } from './checks/storage-away.ts';
import { switchChecks } from './checks/switch.ts';
import { targetChecks } from './checks/targets.ts';
import { readRecord, type SelftestRecord, writeRecord } from './record.ts';
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
	const trial = await trialOf(options, record);
	const checks = await runChecks(checksOf(options, trial), trial, options);
	options.message('removing what was made');
	const [left, removedMs] = await removed(trial, directory);
	const cleared = nothingLeft(left, removedMs);
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

async function trialOf(options: SelftestOptions, { recoveryId, diskBytes, ...place }: SelftestRecord): Promise<Trial> {
	const { datastore, appliance } = place;
	const trial = new Trial({
		settings: { ...options.settings, datastore, appliance },
		recoveryId,
		diskBytes,
		directory: join(options.directory, 'machine'),
		runDirectory: join(options.runDirectory, 'selftest'),
		times: options.times ?? usualTimes,
	});
	for (const path of [trial.definition.directory, trial.definition.runDirectory])
		await mkdir(path, { recursive: true, mode: 0o700 });
	return trial;
}

async function removeEarlier(options: SelftestOptions, record: SelftestRecord): Promise<void> {
	options.message(`removing what an earlier self test has left (${record.recoveryId})`);
	const left = await removeAll(await trialOf(options, record), options.directory);
	if (left.length === 0) return;
	throw new RouseError('host_busy', `what an earlier self test has left cannot be removed: ${left.join('; ')}`, {
		hint: 'look on the host what stands in its way; a self test is tried again from there',
	});
}

async function removed(trial: Trial, directory: string): Promise<[string[], number]> {
	const begun = performance.now();
	const left = await removeAll(trial, directory);
	return [left, Math.round(performance.now() - begun)];
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

/** There is one way of each today: the report has what would decide between two. */
function settingsOf(checks: readonly CheckResult[]): SelftestReport['settings'] {
	const isKnown = (name: string) => checks.find(check => check.name === name)?.outcome === 'as_expected';
	const merges = isKnown('merged') ? 'as it was tried here' : 'which was not seen to work here';
	return [
		{ what: 'overlay', chosen: 'child', why: 'there is no other: a differencing disk over the file on the volume' },
		{ what: 'finish', chosen: 'merge when off', why: `it follows from the overlay, ${merges}` },
	];
}
