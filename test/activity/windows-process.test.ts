import assert from 'node:assert/strict';
import { link, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { control } from '../../hypervisors/hyperv/simulator/control-client.ts';
import { DiskFile } from '../../hypervisors/hyperv/simulator/disk-file.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';
import { qemuCheck, sevenZipContent, sevenZipTakes } from '../equipment/vhdx-judges.ts';
import {
	applianceId,
	basePath,
	folder,
	madeMachine,
	overlayPath,
	sampleHost,
	sampleRecovery,
	slot,
	startOn,
	targetPath,
} from '../equipment/windows-host.ts';
import { type Simulator, windowsSimulator } from '../equipment/windows-simulator.ts';

const MiB = 2 ** 20;
const recoveryId = sampleRecovery;

const targetSchema = z.object({ virtualDiskId: z.string() });

/** A machine whose overlay stands on its target: that takes no volume. */
async function standingOnTarget({ must }: Simulator): Promise<void> {
	const path = targetPath;
	const made = await must('make-target', { recoveryId, path, sizeBytes: 32 * MiB, whole: false, knownId: null });
	const { virtualDiskId } = targetSchema.parse(made);
	await must('create-machine', {
		recoveryId,
		name: 'web01',
		directory: folder,
		generation: 2,
		memoryMiB: 1024,
		processors: 2,
		secureBoot: 'Off',
		nics: [],
		pipe: '\\\\.\\pipe\\rouse-web01',
	});
	await must('make-overlay', { recoveryId, path: overlayPath, parent: targetPath, parentId: virtualDiskId, slot });
}

test('the process of the host is killed while a guest writes: what was flushed is there, and 7zz takes the chain', async t => {
	const simulated = await windowsSimulator(t);
	const { config, must } = simulated;
	await standingOnTarget(simulated);
	const expected = Buffer.alloc(32 * MiB);
	const overlay = join(config.directory, 'drives', 'D', 'Rouse', 'web01', 'overlay0.vhdx');
	const random = sampleDisk(MiB, 3);
	for (let boot = 0; boot < 4; boot++) {
		await must('start', startOn(targetPath));
		let isUnderWay: { at: number; bytes: Buffer } | undefined;
		const writing = (async () => {
			for (let number = 0; ; number++) {
				const at = ((boot * 7919 + number * 104_729) % 60_000) * 512;
				const bytes = random.subarray(0, 512 * (1 + (number % 40)));
				isUnderWay = { at, bytes };
				const write = { recoveryId, disk: 0, atBytes: at, base64: bytes.toString('base64') };
				await control(config.controlSocket, { do: 'guest-write', ...write });
				await control(config.controlSocket, { do: 'guest-flush', recoveryId });
				bytes.copy(expected, at);
				if (number === 5 + boot) simulated.process.child.kill('SIGKILL');
			}
		})();
		await assert.rejects(writing);
		await simulated.process.end();
		const file = await DiskFile.open(overlay, overlay, 'r');
		await openVhdx(file);
		await file.close();
		assert.ok(await sevenZipTakes(overlay), `after boot ${boot}`);
		const content = await sevenZipContent(overlay);
		// The one under way is there or not, by the sector.
		if (isUnderWay) {
			const { at, bytes } = isUnderWay;
			for (let sector = at; sector < at + bytes.length; sector += 512)
				if (content.subarray(sector, sector + 512).equals(bytes.subarray(sector - at, sector - at + 512)))
					content.copy(expected, sector, sector, sector + 512);
		}
		assert.ok(content.equals(expected), `content after boot ${boot}`);
		await simulated.start();
	}
});

test('over its sockets: a session is dropped, a power loss at a step is SIGKILL, and SIGTERM saves machines', async t => {
	const simulated = await windowsSimulator(t);
	const { config, ask, must } = simulated;
	const tell = (request: Parameters<typeof control>[1]) => control(config.controlSocket, request);
	await tell({ do: 'fault', point: 'op make-target done', action: { kind: 'drop' } });
	const path = targetPath;
	const make = { recoveryId, path, sizeBytes: 32 * MiB, whole: false, knownId: null };
	assert.equal(await ask('make-target', make), undefined);
	await tell({ do: 'fault', point: 'New-VM done', action: { kind: 'power-loss' } });
	await assert.rejects(standingOnTarget(simulated));
	await simulated.process.end();
	await simulated.start();
	await standingOnTarget(simulated);
	await must('start', startOn(targetPath));
	const boot = await tell({ do: 'guest-boot', recoveryId });
	const base64 = Buffer.alloc(512, 5).toString('base64');
	await tell({ do: 'guest-write', recoveryId, disk: 0, atBytes: 0, base64 });
	simulated.process.child.kill('SIGTERM');
	await waitFor('it to end', () => simulated.process.child.exitCode === 0, { timeoutMs: 10_000 });
	await simulated.start();
	await must('start', startOn(targetPath));
	assert.equal(await tell({ do: 'guest-boot', recoveryId }), boot);
	assert.equal(await tell({ do: 'guest-read', recoveryId, disk: 0, atBytes: 0, lengthBytes: 512 }), base64);
	const refused = await ask('no-such-thing', {});
	assert.ok(refused && !refused.ok);
});

test('the disks of the appliance go with the power of the host, and are there again after the next boot', async t => {
	const simulated = await windowsSimulator(t);
	const { must, applianceDirectory } = simulated;
	const path = targetPath;
	const made = await must('make-target', { recoveryId, path, sizeBytes: 32 * MiB, whole: false, knownId: null });
	const { virtualDiskId } = targetSchema.parse(made);
	await must('attach-target', { recoveryId, appliance: applianceId, path, virtualDiskId });
	const names = () => readdir(join(applianceDirectory, 'dev'));
	const [name = ''] = await names();
	const lock = join(applianceDirectory, 'run', `${name}.lock`);
	assert.notEqual(await lockHolder(lock), undefined);
	await simulated.process.end('SIGKILL');
	await waitFor('its disk to be served no more', async () => (await lockHolder(lock)) === undefined, {
		timeoutMs: 10_000,
	});
	await simulated.start();
	const after = await names();
	assert.equal(after.length, 1);
	assert.notEqual(after[0], name);
});

test("a machine's pipe is there while it runs, greets, and says what it hears", async t => {
	const simulated = await windowsSimulator(t);
	await standingOnTarget(simulated);
	await simulated.must('start', startOn(targetPath));
	const pipes = join(simulated.config.directory, 'pipes');
	assert.deepEqual(await readdir(pipes), ['rouse-web01']);
	const pipe = connect(join(pipes, 'rouse-web01'));
	let heard = '';
	pipe.on('data', bytes => (heard += bytes.toString('latin1')));
	pipe.write('hello');
	await waitFor('it to answer', () => heard === 'web01\r\nhello', { timeoutMs: 5_000 });
	await simulated.must('power', { recoveryId, action: 'turn-off' });
	await waitFor('it to be gone', async () => (await readdir(pipes)).length === 0, { timeoutMs: 5_000 });
});

test('after each step 7zz takes every VHDX and its chain', async t => {
	const sample = await sampleHost(t);
	const place = join(sample.host.root, 'D', 'Rouse', 'web01');
	const judge = async (step: string) => {
		for (const name of await readdir(place)) {
			if (!name.endsWith('.vhdx')) continue;
			assert.ok(await sevenZipTakes(join(place, name)), `${name} after ${step}`);
		}
	};
	const targetId = await madeMachine(sample);
	// 7-Zip 26.02 takes the relative path behind `.\\` for the name of a file beside the child, backslashes and all.
	await link(join(sample.directory, 'disk0.vhdx'), join(place, 'base\\disk0.vhdx'));
	await judge('make-overlay');
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	const expected = Buffer.from(sample.base);
	const written = sampleDisk(2 * MiB + 512, 9);
	written.copy(expected, 3 * MiB);
	await guest.write(0, 3 * MiB, written);
	await guest.flush();
	await judge('a write');
	assert.ok((await sevenZipContent(join(place, 'overlay0.vhdx'))).equals(expected));
	await sample.must('power', { recoveryId, action: 'save' });
	await judge('save');
	const onto = { from: [basePath], parent: targetPath, parentId: targetId, anew: false };
	await sample.must('reparent', { recoveryId, overlay: overlayPath, ...onto });
	await judge('reparent');
	await sample.must('start', startOn(targetPath));
	await sample.host.guest(recoveryId).powerOff();
	await judge('power off');
	await sample.must('merge', { recoveryId, overlay: overlayPath, target: targetPath, slot });
	await judge('merge');
	await qemuCheck(join(place, 'target0.vhdx'));
	const merged = Buffer.alloc(8 * MiB);
	written.copy(merged, 3 * MiB);
	assert.ok((await sevenZipContent(join(place, 'target0.vhdx'))).equals(merged));
});
