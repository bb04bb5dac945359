import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { formatBytes } from '../../../model/format-bytes.ts';
import { phaseSchema } from '../../../model/recovery.ts';
import { SupervisorClient } from '../../../supervisor/client.ts';
import { type Installation, openInstallation } from '../../../system/installation.ts';
import { waitFor } from '../../../system/wait.ts';
import { formatDuration } from '../../terminal/format.ts';
import { cleanUp } from '../clean-up.ts';
import { killAndWait, killTargets } from '../kills.ts';
import { OwnCommand } from '../own-command.ts';
import { killText } from '../report.ts';
import type { DemoOptions } from '../run-demo.ts';
import { checkDisk, findDisks } from './disk-check.ts';
import { endTargets } from './clean-up.ts';
import { DemoGuest } from './guest.ts';
import type { HypervDemoReport } from './report.ts';
import { type SimulatedWindows, startWindows } from './windows.ts';

const machine = 'web01';
const recoveryName = `${machine}-r1`;
const MiB = 2 ** 20;
const diskBytes = 96 * MiB;
/** Slow enough that there is something left to migrate when the last process has been killed. */
const slowRateBytes = 1 * MiB;
/** Of those that the other demonstration kills too, the ones on the way of the data and of the orders. */
const killed: readonly string[] = ['mount-mover', 'migration-mover', 'repository-mover', 'host-worker', 'supervisor'];

const showSchema = z.object({
	recoveryId: z.uuid(),
	phase: phaseSchema,
	timings: z.object({ requestedAt: z.string(), runningAt: z.string(), switchPauseMs: z.number().optional() }),
});
const anything = z.looseObject({});

interface Demo {
	rouse: OwnCommand;
	installation: Installation;
	repository: string;
	windows: SimulatedWindows;
	content: Buffer;
	scratch: string;
	signal: AbortSignal;
	say: (line: string) => void;
}

/** The main job on a Hyper-V host whose Windows side is simulated, every claim checked; throws at the first that does not hold. */
export async function runHypervDemo({ directory, signal, say }: DemoOptions): Promise<HypervDemoReport> {
	const startedAt = performance.now();
	const [home, repository] = [join(directory, 'home'), join(directory, 'repository')];
	const rouse = new OwnCommand({ ...process.env, ROUSE_HOME: home, ROUSE_REPO: repository }, signal);

	say(
		'Windows is simulated here: its disks are real VHDX files, its SSH server, iSCSI session and NTFS volume are real,',
	);
	say('what Hyper-V itself does is played by rules out of its documentation');
	const windows = await startWindows(join(directory, 'hv1'), { signal });
	try {
		const host = { name: 'hv1', kind: 'hyperv', hyperv: windows.host };
		await mkdir(home, { mode: 0o700 });
		await writeFile(join(home, 'config.yaml'), stringify({ repositories: { demo: repository }, host }), {
			mode: 0o600,
		});
		const content = await backUp({ rouse, repository, directory, say });
		const installation = await openInstallation(home);
		try {
			await rouse.run(anything, 'up', '--detach');
			const scratch = join(directory, 'expected.raw');
			const demo = { rouse, installation, repository, windows, content, scratch, signal, say };
			const measured = await recover(demo);
			return {
				windows: 'simulated',
				sizeBytes: diskBytes,
				...measured,
				durationMs: Math.round(performance.now() - startedAt),
			};
		} finally {
			await endTargets(installation);
			await cleanUp(installation);
		}
	} finally {
		await windows.end();
	}
}

async function backUp({
	rouse,
	repository,
	directory,
	say,
}: Pick<Demo, 'rouse' | 'repository' | 'say'> & { directory: string }): Promise<Buffer> {
	say(`a disk of ${formatBytes(diskBytes)} is backed up`);
	const content = Buffer.alloc(diskBytes);
	for (let at = 0; at < diskBytes; at += 64 * 1024) randomBytes(8 * 1024).copy(content, at);
	const [image, spec] = [join(directory, 'original.raw'), join(directory, 'machine.yaml')];
	await writeFile(image, content);
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 64\nfirmware: efi\nos: linux\ndrivers: [hyperv]\n');
	await rouse.run(anything, 'repo', 'init', repository);
	await rouse.run(anything, 'backup', 'import', image, '--machine', machine, '--spec', spec);
	return content;
}

type Measured = Omit<HypervDemoReport, 'windows' | 'sizeBytes' | 'durationMs'>;

async function recover(demo: Demo): Promise<Measured> {
	const { rouse, installation, windows, signal, say } = demo;
	say(`${machine}@latest is started on host hv1, straight from the repository`);
	const start = `recover start ${machine}@latest --host hv1 --switch manual --allocate thin --reason demo`;
	const { recoveryId, timings } = await rouse.run(showSchema, ...start.split(' '));
	const runningAfterMs = Date.parse(timings.runningAt) - Date.parse(timings.requestedAt);
	say(`  powered on ${formatDuration(runningAfterMs)} after the request`);

	const guest = new DemoGuest(windows.controlSocket, recoveryId, demo.content);
	const supervisor = SupervisorClient.of(installation);
	say(`it writes and reads without pause; its disk is migrated, at ${formatBytes(slowRateBytes)} a second`);
	await rouse.run(anything, 'recover', 'policy', recoveryName, '--max-rate', String(slowRateBytes));
	await rouse.run(anything, 'recover', 'migrate', recoveryName);
	const kills = [];
	const targets = killTargets(installation, { name: recoveryName, recoveryId, repository: demo.repository });
	for (const target of targets.filter(({ name }) => killed.includes(name))) {
		const kill = await killAndWait(target, { supervisor, recovery: recoveryName, signal });
		kills.push(kill);
		say(`  ${killText(kill)}`);
	}

	say('the limit is lifted; when all is local, the machine is saved, put onto its own disk, and resumed');
	await rouse.run(anything, 'recover', 'policy', recoveryName, '--max-rate', '0');
	await untilPhase(demo, 'migrated');
	await rouse.run(anything, 'recover', 'switch', recoveryName);
	const finished = await untilPhase(demo, 'finished');
	const { switchPauseMs } = finished.timings;
	if (switchPauseMs === undefined) throw new RouseError('internal', 'the switch did not report its pause');
	say(`  switched; the guest stood still for ${formatDuration(switchPauseMs)}`);

	await guest.stop();
	await guest.verify(200);
	const { writtenBlocks, reads } = guest.done;
	say(`  ${writtenBlocks} blocks written, ${reads} reads, all right`);
	await checkOff(demo, guest, supervisor);

	say('what happened, out of the history of the recovery:');
	for (const line of (await rouse.text('audit', recoveryName)).split('\n')) say(`  ${line}`);
	await remove(demo);
	return { runningAfterMs, kills, switchPauseMs, writtenBlocks, reads };
}

/** Off and started again it is in one file, which others judge. */
async function checkOff(
	{ rouse, windows, scratch, signal, say }: Demo,
	guest: DemoGuest,
	supervisor: SupervisorClient,
) {
	await guest.powerOff();
	const isOff = async () => (await supervisor.recovery(recoveryName, { signal })).power === 'off';
	await waitFor('the machine to be off', isOff, { timeoutMs: 60_000, everyMs: 100, signal });
	await rouse.run(anything, 'host', 'start', recoveryName);
	await rouse.run(anything, 'host', 'stop', recoveryName, '--force');
	const disks = await findDisks(windows.directory);
	const [disk] = disks;
	if (disk === undefined || disks.length > 1)
		throw new RouseError('machine_failed', `one disk must be left, and there are ${disks.join(', ') || 'none'}`);
	await checkDisk(disk, guest.expected, scratch);
	say('its one VHDX holds the restore point and all that the guest wrote, as 7-Zip and QEMU read it');
}

async function untilPhase(
	{ rouse, signal }: Demo,
	phase: 'migrated' | 'finished',
): Promise<z.output<typeof showSchema>> {
	const look = async () => {
		const shown = await rouse.run(showSchema, 'recover', 'show', recoveryName);
		return shown.phase === phase ? shown : undefined;
	};
	return waitFor(`phase ${phase}`, look, { timeoutMs: 300_000, everyMs: 200, signal });
}

async function remove({ rouse, windows, say }: Demo): Promise<void> {
	await rouse.run(anything, 'host', 'remove', recoveryName, '--confirm', recoveryName);
	const left = await findDisks(windows.directory);
	if (left.length > 0) throw new RouseError('machine_failed', `the machine was removed and left ${left.join(', ')}`);
	say('the machine is thrown away; nothing of it is left on the host');
}
