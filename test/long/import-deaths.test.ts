/** An import whose control worker and Temporal server die in every step, and whose platform is away in each. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Imports } from '../../client/imports.ts';
import { readSourceFacts } from '../../model/source-facts.ts';
import { readPoint } from '../../repository/points.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import { Faults, type FaultPlace } from '../../sources/simulated-machine/faults.ts';
import { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { readIfThere } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';
import { readStoredDisks } from '../equipment/ec2/stored-disks.ts';
import { configText, secret } from '../equipment/import-installation.ts';
import { noise } from '../equipment/repositories.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const mib = 2 ** 20;
/** Of what is read: behind a pack of 64 MiB, which is durable by the time the worker dies. */
const diskBytes = 112 * mib;
/** No host is there: a broker that is new waits for its report for two minutes before it grants anything. */
const soon = { timeoutMs: 240_000, everyMs: 50 };

let place: TestInstallation;
let machine: MachineInDirectory;
let repository: { location: string; id: string };

before(async () => {
	place = await TestInstallation.create();
	const { home } = place.installation;
	const { location, id, store } = await initRepository(join(home, 'backups'));
	await store.close();
	repository = { location, id };
	machine = await MachineInDirectory.make(join(home, 'machine'), {
		flavour: 'snapshots',
		identity: 'machine-1',
		name: 'a machine',
		config: {},
		leftOut: [],
		disks: [{ key: 'disk-0', sizeBytes: diskBytes }],
	});
	await machine.write('disk-0', 0, noise(diskBytes, 1));
	await writeFile(join(home, 'credential'), secret, { mode: 0o600 });
	await writeFile(join(home, 'config.yaml'), configText(location, machine.files.directory));
});
after(() => place.remove());

/** Where reads began, in their order. */
async function reads(): Promise<number[]> {
	const lines = ((await readIfThere(machine.files.reads)) ?? '').split('\n').filter(line => line !== '');
	return lines.map(line => Number(line.split(' ')[2]));
}

test('an import whose worker and server are killed in each of its steps, and whose platform is away in each, goes on, and reads nothing again that was durable', async () => {
	let server: OwnProcess = await place.startServer();
	let worker = place.startWorkers('control');
	let temporal = await place.connect();
	const of = { machine: 'web01', repositoryId: repository.id };
	const places = { source: 'web', repository: repository.location };
	// What has just been killed does not answer.
	const underWay = () => new Imports(temporal).view(of).catch(() => undefined);
	const faults = new Faults(machine.files.faults);
	const away = (['describe', 'begin', 'ready', 'open', 'commit'] as const satisfies FaultPlace[]).map(at => ({
		at,
		does: 'source_unreachable' as const,
		times: 2,
	}));
	await faults.set(away);
	await new Imports(temporal).start({ ...of, ...places, maxRateBytes: 16 * mib });

	/** When its platform was away once in the step, both are killed. */
	const bothDieIn = async (phase: string) => {
		await waitFor(
			`the first failure while it is ${phase}`,
			async () => {
				const now = await underWay();
				return now?.view.phase === phase && now.attempt > 1;
			},
			soon,
		);
		await worker.end('SIGKILL');
		await server.end('SIGKILL');
		server = await place.startServer();
		temporal = await place.connect();
		worker = place.startWorkers('control');
	};
	const readFurtherThan = (bytes: number) =>
		waitFor(`${bytes} bytes to be read`, async () => (await reads()).some(at => at > bytes), soon);

	await bothDieIn('planning');
	await bothDieIn('beginning');
	await bothDieIn('waiting');
	await readFurtherThan(8 * mib);
	await server.end('SIGKILL');
	server = await place.startServer();
	temporal = await place.connect();
	await readFurtherThan(92 * mib);
	assert.equal(
		new Set(await reads()).size,
		(await reads()).length,
		'the death of the server alone is nothing to a copy',
	);
	await worker.end('SIGKILL');
	worker = place.startWorkers('control');
	await bothDieIn('committing');
	const over = async () => {
		const now = await underWay();
		return now?.view.phase === 'over' ? now.view : undefined;
	};
	const { outcome, restorePoint, warnings } = await waitFor('its end', over, soon);
	assert.deepEqual([outcome, warnings], ['imported', []]);
	const twice = (await reads()).filter((at, index, all) => all.indexOf(at) !== index);
	assert.ok(
		twice.every(at => at >= 32 * mib),
		`read twice: ${twice.slice(0, 9).join(', ')}`,
	);

	const opened = await openRepository(repository.location);
	try {
		const [stored] = await readStoredDisks(opened, 'web01', restorePoint ?? '');
		assert.ok(stored?.equals(await readFile(machine.files.disk('disk-0'))), 'its disk is not what it was');
		const { manifest } = await readPoint(opened, 'web01', restorePoint ?? '');
		assert.equal(readSourceFacts(manifest.facts)?.kind, 'simulated');
	} finally {
		await opened.store.close();
	}
});
