import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addHost, planHost } from '../../hypervisors/hyperv/host-setup/add.ts';
import { addSteps } from '../../hypervisors/hyperv/host-setup/add-steps.ts';
import { hostFiles, readHostRecord } from '../../hypervisors/hyperv/host-setup/record.ts';
import { removeHost, removeSteps } from '../../hypervisors/hyperv/host-setup/remove.ts';
import type { SetupEvent } from '../../hypervisors/hyperv/host-setup/work.ts';
import { control } from '../../hypervisors/hyperv/simulator/control-client.ts';
import { administratorsKeys } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { RouseError } from '../../model/errors.ts';
import { setupParts } from '../equipment/host-setup-child.ts';
import { setupBench } from '../equipment/host-setup-bench.ts';

const whole = { dryRun: false, forget: false };

describe('`addHost`', () => {
	it('makes what an appliance needs, over SSH, and `removeHost` takes all of it away', async t => {
		const { host, run, everything } = await setupBench(t);
		const before = await everything();
		const events: SetupEvent[] = [];
		const parts = setupParts(run, event => events.push(event));
		const { record, added } = await addHost(run.wanted, parts);
		assert.ok(added);
		assert.deepEqual(
			events.flatMap(event => (event.type === 'step' && event.at === 'end' ? [event.step] : [])),
			addSteps.map(({ name }) => name),
		);
		const { state, files } = await everything();
		const [vm] = Reflect.get(Object(state), 'vms');
		assert.equal(vm.vmId, record.applianceId);
		assert.partialDeepStrictEqual(vm, {
			name: 'rouse-hv1',
			directory: 'D:\\Rouse\\appliance-hv1',
			generation: 2,
			memoryMiB: 4096,
			scsiControllers: 4,
			secureBoot: 'Off',
			firstBoot: 'disk',
			nics: [
				{ name: 'internal', mac: record.macs.internal, switchName: 'rouse-hv1' },
				{ name: 'external', mac: record.macs.external, switchName: 'lan' },
			],
			automaticStart: 'Start',
			checkpointType: 'Disabled',
			drives: [{ path: 'D:\\Rouse\\appliance-hv1\\appliance.vhdx' }],
		});
		const keys = await readFile(administratorsKeys(join(host.config.directory, 'drives')), 'latin1');
		assert.match(
			keys,
			/^ssh-ed25519 BBBB somebody\r\nrestrict,from="172\.31\.255\.2" ssh-ed25519 \S+ rouse-setup-\S+\r\n$/,
		);
		assert.deepEqual(
			files.filter(name => /seed|part/.test(name)),
			[],
		);
		const again = await everything();
		assert.equal((await addHost(run.wanted, parts)).added, false);
		assert.deepEqual(await everything(), again);
		await removeHost(parts, whole);
		assert.deepEqual(await everything(), before);
		await assert.rejects(readdir(run.directory), { code: 'ENOENT' });
		await assert.rejects(removeHost(parts, whole), { code: 'host_unknown' });
	});

	it('goes on after it was killed at the end of each step, and so does `removeHost`', async t => {
		const { run, inProcess, everything } = await setupBench(t);
		const before = await everything();
		for (const { name } of addSteps) assert.ok((await inProcess({ killAt: name })).killed, name);
		const { answer } = await inProcess({});
		assert.equal(Reflect.get(Object(answer), 'added'), true);
		const { state, files } = await everything();
		for (const [what, count] of [
			['vms', 1],
			['switches', 1],
			['firewallRules', 1],
		] as const)
			assert.equal(Reflect.get(Object(state), what).length, count, what);
		assert.deepEqual(
			files.filter(name => /seed|part/.test(name)),
			[],
		);
		for (const { name } of removeSteps) assert.ok((await inProcess({ what: 'remove', killAt: name })).killed, name);
		const refused = await inProcess({});
		assert.equal(Reflect.get(Object(refused.answer), 'code'), 'name_conflict');
		await inProcess({ what: 'remove' });
		assert.deepEqual(await everything(), before);
		await assert.rejects(readdir(run.directory), { code: 'ENOENT' });
	});

	it('goes on after the session was lost with the answer, as does `removeHost`', async t => {
		const { host, run, everything } = await setupBench(t);
		const before = await everything();
		const parts = setupParts(run, () => undefined);
		// Its work was done, and nobody was told.
		const lose = async (op: string, work: () => Promise<unknown>) => {
			const drop = { do: 'fault', point: `op ${op} done`, action: { kind: 'drop' } } as const;
			await control(host.config.controlSocket, drop);
			await assert.rejects(work(), { code: 'hypervisor_failed' }, op);
		};
		const add = () => addHost(run.wanted, parts);
		for (const op of ['make-network', 'put-key', 'take-file', 'create-appliance', 'start-appliance'])
			await lose(op, add);
		assert.ok((await add()).added);
		const remove = () => removeHost(parts, whole);
		for (const op of ['remove-appliance', 'remove-key', 'remove-network']) await lose(op, remove);
		await remove();
		assert.deepEqual(await everything(), before);
	});

	it('sends what is missing of a disk that came in part, and anew what came otherwise', async t => {
		const { host, run } = await setupBench(t);
		const parts = setupParts(run, () => undefined);
		const fault = { do: 'fault', point: 'op take-file', action: { kind: 'drop' } } as const;
		await control(host.config.controlSocket, fault);
		await assert.rejects(addHost(run.wanted, parts), { code: 'hypervisor_failed' });
		const directory = join(host.config.directory, 'drives/D/Rouse/appliance-hv1');
		const [part = ''] = await readdir(directory);
		assert.match(part, /\.part$/);
		const image = await readFile(run.image);
		const torn = Buffer.concat([Buffer.from('X'), image.subarray(1, 1_000_000)]);
		await writeFile(join(directory, part), torn);
		await addHost(run.wanted, parts);
		const sent = await readFile(join(directory, 'appliance.vhdx'));
		assert.ok(sent.equals(image));
	});

	it('makes the seed anew, for an appliance that boots again, when it would say something else than before', async t => {
		const { run, host } = await setupBench(t);
		const usual = setupParts(run, () => undefined);
		const place = join(host.config.directory, 'drives/D/Rouse/appliance-hv1/seed.vhdx');
		const sent = async () => (await readFile(place)).toString('latin1');
		const failing = (address: string) => ({
			...usual,
			seedText: async () => `told ${address}`,
			ready: async () => Promise.reject(new RouseError('worker_missing', 'it does not come')),
		});
		const machine = async () => {
			const [vm] = Reflect.get(
				Object(JSON.parse(await readFile(join(host.config.directory, 'host.json'), 'utf8'))),
				'vms',
			);
			return vm.drives.map((drive: { path: string }) => drive.path);
		};
		for (const address of ['192.0.2.1', '192.0.2.2']) {
			await assert.rejects(addHost(run.wanted, failing(address)), { code: 'worker_missing' });
			assert.ok((await sent()).includes(`told ${address}`));
			assert.deepEqual(await machine(), [
				'D:\\Rouse\\appliance-hv1\\appliance.vhdx',
				'D:\\Rouse\\appliance-hv1\\seed.vhdx',
			]);
		}
	});

	it('is refused without a word on whose key it is, with another one, and by another host', async t => {
		const { run, host } = await setupBench(t);
		const asked = (expectedHostKey: string | undefined) =>
			addHost(run.wanted, { ...setupParts(run, () => undefined), expectedHostKey });
		await assert.rejects(asked(undefined), { code: 'precheck_failed', hint: /--host-key SHA256:/ });
		await assert.rejects(asked(`SHA256:${'A'.repeat(43)}`), { code: 'identity_conflict' });
		assert.equal(await readHostRecord(run.directory), undefined);
		await control(host.config.controlSocket, { do: 'fault', point: 'op make-network', action: { kind: 'drop' } });
		await assert.rejects(asked(run.hostKey), { code: 'hypervisor_failed' });
		const path = hostFiles(run.directory).record;
		const own = await readFile(`${run.identityPath}.pub`, 'utf8');
		const record = JSON.parse(await readFile(path, 'utf8'));
		await writeFile(path, JSON.stringify({ ...record, hostKey: own.split(' ').slice(0, 2).join(' ') }));
		await assert.rejects(asked(run.hostKey), { code: 'identity_conflict' });
		await assert.rejects(
			removeHost(
				setupParts(run, () => undefined),
				whole,
			),
			{ code: 'identity_conflict' },
		);
		await removeHost(
			setupParts(run, () => undefined),
			{ ...whole, forget: true },
		);
		await assert.rejects(readdir(run.directory), { code: 'ENOENT' });
	});

	it('is refused with all that is in its way, and for another set-up of that name; then nothing was changed', async t => {
		const { run, host, everything } = await setupBench(t);
		const before = await everything();
		const parts = setupParts(run, () => undefined);
		await control(host.config.controlSocket, { do: 'conditions', change: { freeBytes: 2 ** 30 } });
		await assert.rejects(addHost({ ...run.wanted, externalSwitch: 'wan' }, parts), {
			code: 'precheck_failed',
			message: /wan is no external switch there; there is lan; 1\.00 GiB are free/,
		});
		assert.deepEqual(await everything(), before);
		await control(host.config.controlSocket, { do: 'conditions', change: { freeBytes: 2 ** 40 } });
		const { steps } = await planHost(run.wanted, parts);
		assert.equal(steps.length, addSteps.length);
		assert.deepEqual(await everything(), before);
		await addHost(run.wanted, parts);
		await assert.rejects(addHost({ ...run.wanted, datastore: 'D:\\Other' }, parts), { code: 'name_conflict' });
	});
});

describe('`removeHost`', () => {
	it('is `phase_wrong` while a machine there needs the appliance, and changes nothing', async t => {
		const { run, host, everything } = await setupBench(t);
		const parts = setupParts(run, () => undefined);
		await addHost(run.wanted, parts);
		const recoveryId = '11111111-2222-4333-8444-555555555555';
		await host.must('create-machine', {
			recoveryId,
			name: 'web01',
			directory: 'D:\\Rouse\\web01-11111111',
			generation: 2,
			memoryMiB: 512,
			processors: 1,
			secureBoot: 'Off',
			nics: [],
			pipe: '\\\\.\\pipe\\rouse-11111111',
		});
		const before = await everything();
		await assert.rejects(removeHost(parts, whole), { code: 'phase_wrong', message: /web01 \(recovery 11111111-/ });
		assert.deepEqual(await everything(), before);
		await host.must('hand-over', { recoveryId });
		await removeHost(parts, whole);
		const { state } = await everything();
		assert.equal(Reflect.get(Object(state), 'vms').length, 1);
	});

	it('of a host whose appliance is gone leaves nothing; until then `addHost` is `machine_failed`', async t => {
		const { run, host, everything } = await setupBench(t);
		const before = await everything();
		const parts = setupParts(run, () => undefined);
		const { record } = await addHost(run.wanted, parts);
		const gone = { setupId: record.setupId, files: ['D:\\Rouse\\appliance-hv1\\appliance.vhdx'] };
		await host.must('remove-appliance', { ...gone, directory: 'D:\\Rouse\\appliance-hv1', datastore: null });
		await assert.rejects(addHost(run.wanted, parts), { code: 'machine_failed', hint: /rouse host remove hv1/ });
		await removeHost(parts, whole);
		assert.deepEqual(await everything(), before);
	});
});
