import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { phaseSchema } from '../../model/recovery.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { changeConfig } from '../../system/change-config.ts';
import { type Installation, openInstallation } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from '../terminal/format.ts';
import { buildGuest, chooseFileToRead, demoGuest, demoMachine, importBackup, workOnGuest } from './backups.ts';
import { GuestConsole } from './console.ts';
import { checkDisk, dump } from './disk-check.ts';
import { killAndWait, killTargets, restoredBytes } from './kills.ts';
import { findLeftovers } from './leftovers.ts';
import { cleanUp } from './clean-up.ts';
import { OwnCommand } from './own-command.ts';
import { type DemoReport, importText, killText } from './report.ts';

const recoveryName = `${demoMachine}-r1`;
/** Slow enough that migration still has work when the last process has been killed, also on a machine that is busy. */
const slowRateBytes = 1024 * 1024;
/** An emulated guest on a busy machine. */
const guestTimeoutMs = 180_000;

export interface DemoOptions {
	/** Empty directory for everything. */
	directory: string;
	signal: AbortSignal;
	/** Gets what happens, a line each. */
	say: (line: string) => void;
}

const showSchema = z.object({
	recoveryId: z.uuid(),
	phase: phaseSchema,
	consoleSocket: z.string(),
	disks: z.array(z.object({ sizeBytes: z.number(), restoredBytes: z.number(), path: z.string() })),
	timings: z.object({ requestedAt: z.string(), runningAt: z.string(), switchPauseMs: z.number().optional() }),
});
const anything = z.looseObject({});

/** The main job on real input, every claim checked; throws at the first that does not hold. */
export async function runDemo({ directory, signal, say }: DemoOptions): Promise<DemoReport> {
	const startedAt = performance.now();
	const repository = join(directory, 'repository');
	const rouse = new OwnCommand({ ...process.env, ROUSE_HOME: join(directory, 'home'), ROUSE_REPO: repository }, signal);

	say(`a machine is built: Debian's kernel, ${formatBytes(1024 ** 3)} of disk, real files`);
	const image = join(directory, 'original.raw');
	await buildGuest(image, { say: line => say(`  ${line}`), signal, ...demoGuest });
	const payload = join(directory, 'original');
	await dump(image, ['/payload'], payload);

	say('it is backed up, works for a while, and is backed up again');
	const spec = join(directory, 'machine.yaml');
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 256\nfirmware: bios\nos: linux\n');
	await rouse.run(anything, 'repo', 'init', repository);
	// It is to show its story on whatever disk is there.
	await changeConfig({ home: join(directory, 'home') }, document => document.setIn(['host', 'latency'], 'off'));
	const first = await importBackup(rouse, image, spec);
	say(`  ${importText(first, 'first')}`);
	await workOnGuest(image, signal);
	const second = await importBackup(rouse, image, spec);
	say(`  ${importText(second, 'second')}`);

	const installation = await openInstallation(join(directory, 'home'));
	try {
		await rouse.run(anything, 'up', '--detach');
		const measured = await recoverAndKill({
			rouse,
			installation,
			repository,
			payload: join(payload, 'payload'),
			directory,
			signal,
			say,
		});
		return { imports: [first, second], ...measured, durationMs: Math.round(performance.now() - startedAt) };
	} finally {
		await cleanUp(installation);
	}
}

/** A demo with its services up. */
interface Demo {
	rouse: OwnCommand;
	installation: Installation;
	repository: string;
	payload: string;
	directory: string;
	signal: AbortSignal;
	say: (line: string) => void;
}

async function recoverAndKill(demo: Demo): Promise<Omit<DemoReport, 'imports' | 'durationMs'>> {
	const { rouse, installation, signal, say } = demo;
	const supervisor = SupervisorClient.of(installation);
	const { accelerator } = await supervisor.host({ signal });

	say(`the original is gone; ${demoMachine}@latest is started straight from the repository (${accelerator})`);
	const started = await rouse.run(
		showSchema,
		...`recover start ${demoMachine}@latest --switch manual --allocate thin --reason demo`.split(' '),
	);
	const { recoveryId } = started;
	const requestedAt = Date.parse(started.timings.requestedAt);
	const runningAfterMs = Date.parse(started.timings.runningAt) - requestedAt;
	say(`  powered on ${formatDuration(runningAfterMs)} after the request`);

	const guest = await GuestConsole.open(started.consoleSocket);
	try {
		await guest.ready({ timeoutMs: guestTimeoutMs, signal });
		const answeredAfterMs = Date.now() - requestedAt;
		say(`  the guest answers ${formatDuration(answeredAfterMs)} after the request`);
		const knownFiles = await writeKnownFiles(guest, 6, signal);
		await guest.command('start 64', /^started$/, { timeoutMs: guestTimeoutMs, signal });
		say('  it writes without pause from now on');

		say(`its disk is migrated, at ${formatBytes(slowRateBytes)} a second; meanwhile every process is killed once`);
		await rouse.run(anything, 'recover', 'policy', recoveryName, '--max-rate', String(slowRateBytes));
		await rouse.run(anything, 'recover', 'migrate', recoveryName);
		const kills = [];
		for (const target of killTargets(installation, { name: recoveryName, recoveryId, repository: demo.repository })) {
			const kill = await killAndWait(target, { supervisor, recovery: recoveryName, signal });
			kills.push(kill);
			say(`  ${killText(kill)}`);
		}
		const [, written = '0'] = await guest.command('count', /^count (\d+)$/, { timeoutMs: guestTimeoutMs, signal });
		say(`  the guest has written ${written} files by now, and was never told of an error`);

		say('the limit is lifted; when all is local, the machine is switched to its own disk under the writing guest');
		await backInService(demo, supervisor);
		await rouse.run(anything, 'recover', 'policy', recoveryName, '--max-rate', '0');
		await untilPhase(demo, 'migrated');
		await rouse.run(anything, 'recover', 'switch', recoveryName);
		const finished = await untilPhase(demo, 'finished');
		const { switchPauseMs } = finished.timings;
		if (switchPauseMs === undefined) throw new RouseError('internal', 'the switch did not report its pause');
		say(`  switched; the guest stood still for ${Math.round(switchPauseMs)} ms`);

		say('the guest verifies what it wrote and a part of what was backed up, and powers itself off');
		const verified = await verifyInside(guest, demo.payload, signal);
		await powerOff(guest, supervisor, signal);
		say(
			`  ${verified.guestVerified} files right, none wrong; ${formatBytes(verified.guestReadBytes)} of the backup read back`,
		);

		say('the disk is compared with what it must hold, without the machine');
		const path = finished.disks[0]?.path ?? '';
		const disk = await checkDisk(path, {
			payload: demo.payload,
			knownFiles,
			atLeast: Number(written),
			scratch: join(demo.directory, 'scratch'),
		});
		say(`  sound; ${disk.guestFiles} files written, ${disk.payloadFiles} files of the backup, all as they must be`);

		say('what happened, out of the history of the recovery:');
		for (const line of (await rouse.text('audit', recoveryName)).split('\n')) say(`  ${line}`);
		await removeMachine(demo, recoveryId);
		return { accelerator, runningAfterMs, answeredAfterMs, kills, switchPauseMs, ...verified, disk };
	} finally {
		guest.close();
	}
}

/** Lets the guest write files whose sums are then known outside of it, too: name to sum. */
async function writeKnownFiles(guest: GuestConsole, count: number, signal: AbortSignal): Promise<Map<string, string>> {
	const knownFiles = new Map<string, string>();
	const file = /^file (\S+) ([0-9a-f]{64})$/;
	for (let n = 0; n < count; n += 1) {
		const [, name = '', sum = ''] = await guest.command('write 1 64', file, { timeoutMs: guestTimeoutMs, signal });
		knownFiles.set(name, sum);
		await guest.waitFor(/^wrote 1$/, { timeoutMs: guestTimeoutMs, signal });
	}
	return knownFiles;
}

async function verifyInside(
	guest: GuestConsole,
	payload: string,
	signal: AbortSignal,
): Promise<{ guestVerified: number; guestReadBytes: number }> {
	const options = { timeoutMs: guestTimeoutMs, signal };
	await guest.command('stop', /^stopped \d+$/, options);
	const [said, ok, bad] = await guest.command('verify', /^ok (\d+) bad (\d+)$/, options);
	if (bad !== '0') throw new RouseError('machine_failed', `the guest finds its own files damaged: ${said}`);
	const { path, content } = await chooseFileToRead(payload);
	const expected = `read 1 ${content.length} ${createHash('sha256').update(content).digest('hex')}`;
	const [read] = await guest.command(`read /payload/${relative(payload, path)}`, /^read .*$/, options);
	if (read !== expected)
		throw new RouseError('machine_failed', `the guest reads something else: ${read}, not ${expected}`);
	return { guestVerified: Number(ok), guestReadBytes: content.length };
}

async function powerOff(guest: GuestConsole, supervisor: SupervisorClient, signal: AbortSignal): Promise<void> {
	await guest.command('poweroff', /^bye$/, { timeoutMs: guestTimeoutMs, signal });
	await waitFor(
		'the machine to be off',
		async () => (await supervisor.recovery(recoveryName, { signal })).power === 'off',
		{
			timeoutMs: 60_000,
			everyMs: 100,
			signal,
		},
	);
}

/** After the death of Temporal's server the workers need a moment until they are polling again. */
async function backInService({ rouse, signal }: Demo, supervisor: SupervisorClient): Promise<void> {
	await rouse.run(anything, 'up', '--detach');
	await restoredBytes(supervisor, recoveryName, signal);
}

async function untilPhase(
	{ rouse, signal }: Demo,
	phase: 'migrated' | 'finished',
): Promise<z.output<typeof showSchema>> {
	return waitFor(
		`phase ${phase}`,
		async () => {
			const shown = await rouse.run(showSchema, 'recover', 'show', recoveryName);
			return shown.phase === phase ? shown : undefined;
		},
		{ timeoutMs: 300_000, everyMs: 200, signal },
	);
}

async function removeMachine({ rouse, installation, say }: Demo, recoveryId: string): Promise<void> {
	say('the machine is thrown away');
	await rouse.run(anything, 'host', 'remove', recoveryName, '--confirm', recoveryName);
	const left = await findLeftovers(installation, recoveryName, recoveryId);
	const all = [...left.processes, ...left.sockets, ...left.files];
	if (all.length > 0)
		throw new RouseError('machine_failed', `the machine was removed and left behind: ${all.join(', ')}`);
	say('  no process, no socket and no file of it is left');
}
