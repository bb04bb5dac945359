import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { writeVhdx } from '../../appliance/vhdx-file.ts';
import { operations } from '../../hypervisors/hyperv/driver/requests.ts';
import { administratorsKeys } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { type Simulator, windowsSimulator } from '../equipment/windows-simulator.ts';
import { treeOf } from '../equipment/tree-of.ts';

const setupId = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';
const datastore = 'D:\\Rouse';
const directory = 'D:\\Rouse\\appliance-hv1';
const disk = `${directory}\\appliance.vhdx`;
const part = `${directory}\\appliance.part`;
const network = {
	setupId,
	name: 'rouse-hv1',
	hostAddress: '172.31.255.1',
	applianceAddress: '172.31.255.2',
	prefixLength: 29,
	sshPort: 22,
};
const line = 'restrict,from="172.31.255.2" ssh-ed25519 AAAA rouse-setup-0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';
const machine = {
	setupId,
	name: 'rouse-hv1',
	directory,
	disk,
	memoryMiB: 2048,
	processors: 2,
	nics: [{ name: 'internal', mac: '02:15:5d:00:00:01', switchName: 'rouse-hv1' }],
};
const removal = { setupId, files: [disk], directory, datastore };

/** What of the host survives its power loss, without the count of its boots. */
async function everythingOf({ config }: Simulator): Promise<unknown> {
	const { boots: _, ...state } = JSON.parse(await readFile(join(config.directory, 'host.json'), 'utf8'));
	return { state, files: await treeOf(join(config.directory, 'drives')) };
}

async function send(host: Simulator, path: string): Promise<string> {
	const raw = join(host.config.directory, 'raw');
	await writeFile(raw, Buffer.alloc(4 * 2 ** 20, 'disk'));
	const vhdx = join(host.config.directory, `${path.split('\\').at(-1)}.vhdx`);
	const digest = createHash('sha256').update('disk').digest('hex');
	await writeVhdx(raw, vhdx, digest, undefined);
	const content = await readFile(vhdx);
	const place = join(host.config.directory, 'drives', path.replace('D:', 'D').replaceAll('\\', '/'));
	await mkdir(dirname(place), { recursive: true });
	await writeFile(place, content);
	return createHash('sha256').update(content).digest('hex');
}

async function survey(host: Simulator) {
	return operations.survey.answer.parse(await host.must('survey', { setupId, datastore, directory }));
}

async function wholeAppliance(t: TestContext): Promise<Simulator> {
	const host = await windowsSimulator(t);
	await host.must('make-network', network);
	await host.must('expect-file', { setupId, path: disk, part });
	await host.must('take-file', { setupId, path: disk, part, sha256: await send(host, part) });
	await host.must('create-appliance', machine);
	return host;
}

describe('Operations of a set-up', () => {
	it('find their work done when they are asked again, and leave nothing when they are undone', async t => {
		const host = await windowsSimulator(t);
		const keys = administratorsKeys(join(host.config.directory, 'drives'));
		await mkdir(join(host.config.directory, 'drives', 'D'));
		await mkdir(dirname(keys), { recursive: true });
		await writeFile(keys, 'ssh-ed25519 BBBB somebody\r\n');
		const before = await everythingOf(host);
		const sha256 = await send(host, part);
		for (const made of [true, false]) {
			assert.deepEqual(await host.must('make-network', network), { made });
			assert.deepEqual(await host.must('put-key', { setupId, line }), { made });
			await host.must('set-initiator', { setupId, startType: 'Automatic', running: true });
			const file = await host.must('expect-file', { setupId, path: disk, part });
			assert.equal(Reflect.get(Object(file), 'whole'), !made);
			await host.must('take-file', { setupId, path: disk, part, sha256 });
			const answer = await host.must('create-appliance', machine);
			assert.equal(Reflect.get(Object(answer), 'made'), made);
			assert.deepEqual(await host.must('start-appliance', { setupId, seed: null }), { started: made });
		}
		const seen = await survey(host);
		assert.deepEqual(
			seen.machines.map(({ name, state, ours }) => ({ name, state, ours })),
			[{ name: 'rouse-hv1', state: 'Running', ours: true }],
		);
		assert.deepEqual(seen.files, [{ path: disk }]);
		assert.ok(seen.switches.some(({ name, ours }) => name === 'rouse-hv1' && ours));
		assert.equal(await readFile(keys, 'utf8'), `ssh-ed25519 BBBB somebody\r\n${line}\r\n`);
		for (const removed of [true, false]) {
			assert.deepEqual(await host.must('remove-appliance', removal), { removed });
			assert.deepEqual(await host.must('remove-key', { setupId }), { removed });
			await host.must('set-initiator', { setupId, startType: 'Manual', running: false });
			assert.deepEqual(await host.must('remove-network', { setupId }), { removed });
		}
		assert.deepEqual(await everythingOf(host), before);
	});

	it('`make-network` is `identity_conflict` for a switch that is not of this set-up', async t => {
		const host = await windowsSimulator(t);
		const answer = await host.ask('make-network', { ...network, name: 'lan' });
		assert.ok(answer?.ok === false && answer.error.code === 'identity_conflict');
	});

	it('`take-file` removes what came otherwise than it was sent', async t => {
		const host = await windowsSimulator(t);
		await send(host, part);
		const sha256 = '0'.repeat(64);
		const answer = await host.must('take-file', { setupId, path: disk, part, sha256 });
		assert.equal(Reflect.get(Object(answer), 'taken'), false);
		assert.deepEqual(await host.must('expect-file', { setupId, path: disk, part }), { whole: false, partBytes: null });
	});

	it('`remove-seed` takes it from an appliance that runs', async t => {
		const host = await wholeAppliance(t);
		const seed = `${directory}\\seed.vhdx`;
		await send(host, seed);
		await host.must('start-appliance', { setupId, seed });
		const gone = { setupId, path: seed, part: `${directory}\\seed.part`, directory };
		assert.deepEqual(await host.must('remove-seed', gone), { removed: true });
		assert.deepEqual(await host.must('remove-seed', gone), { removed: false });
		assert.equal((await survey(host)).machines[0]?.state, 'Running');
	});

	it('`stop-appliance` turns it off, and is `state_wrong` while it has a disk of somebody else', async t => {
		const host = await wholeAppliance(t);
		await host.must('start-appliance', { setupId, seed: null });
		const answer = await host.ask('stop-appliance', { setupId, files: [] });
		assert.ok(answer?.ok === false && answer.error.code === 'state_wrong');
		for (const stopped of [true, false])
			assert.deepEqual(await host.must('stop-appliance', { setupId, files: [disk] }), { stopped });
		assert.equal((await survey(host)).machines[0]?.state, 'Off');
	});

	it('`remove-appliance` is `state_wrong` while the appliance has a disk of somebody else', async t => {
		const host = await wholeAppliance(t);
		const answer = await host.ask('remove-appliance', { ...removal, files: [] });
		assert.ok(answer?.ok === false && answer.error.code === 'state_wrong');
		assert.equal((await survey(host)).machines.length, 1);
	});
});
