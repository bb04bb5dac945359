/** What movers are started with, as their processes read it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
	type ChunkService,
	migrationMoverConfigSchema,
	mountMoverConfigSchema,
	readMoverConfig,
} from '../../movers/config.ts';
import { freshIds } from '../../movers/mount-mover/layout/vhdx-layout.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { MoverProcesses, moverPrograms } from '../../supervisor/movers/processes.ts';
import type { Installation } from '../../system/installation.ts';
import type { VolumeFiles } from '../../volume/disk-files.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const image = {
	sizeBytes: 65_536,
	chunkSizeBytes: 65_536,
	frameSizeBytes: 65_536,
	contentDigest: 'b'.repeat(64),
	dataBytes: 0,
};

interface Asked {
	volume?: VolumeFiles | undefined;
	service?: ChunkService;
}

/** A program that does nothing stands for the mover: one that ends by itself may be gone before it was seen to hold its lock. */
async function configsOf(t: TestContext, { volume, service }: Asked) {
	const home = await temporaryDirectory(t);
	const installation: Installation = { id: randomUUID(), home, runDirectory: join(home, 'run'), cacheDirectory: home };
	const program = join(home, 'idle.ts');
	await writeFile(program, 'setInterval(() => {}, 60_000);\n');
	const recoveryId = randomUUID();
	const places = recoveryPlaces(installation, 'web01', recoveryId);
	await mkdir(places.directory, { recursive: true });
	const target = { path: '/dev/null', identity: 'vhdx-1', offsetBytes: 0, readsZero: true };
	const movers = new MoverProcesses(installation, { ...moverPrograms, mount: program, migration: program });
	const of = {
		recoveryId,
		repository: home,
		places,
		disks: [{ name: 'disk0', image, mapPath: join(places.directory, 'disk0.map') }],
		targets: async () => [target],
		volume: async () => volume,
		...(service ? { service: async () => service } : {}),
	};
	const [mount, migration] = [movers.mount(of), movers.migration(of)];
	for (const mover of [mount, migration]) await mover.start();
	const configs = {
		mount: await readMoverConfig(places.mountMover.config, mountMoverConfigSchema),
		migration: await readMoverConfig(places.migrationMover.config, migrationMoverConfigSchema),
	};
	for (const mover of [mount, migration]) assert.ok(await mover.end());
	return configs;
}

test('`MoverProcesses` tells the mount mover of the volume that its platform asks for, and of none otherwise', async t => {
	const sectors = { logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
	const volume: VolumeFiles = { directory: '/var/lib/rouse', files: [{ ids: freshIds(), sectors }] };
	assert.deepEqual((await configsOf(t, { volume })).mount.volume, volume);
	assert.equal((await configsOf(t, {})).mount.volume, undefined);
});

test('`MoverProcesses` sends both movers to the service of a repository elsewhere, and else to the socket of its own', async t => {
	const keys = { authority: '/keys/a', certificate: '/keys/c', key: '/keys/k', token: '/token' };
	const service = { host: 'backup1', port: 7400, ...keys, silenceMs: 10_000 };
	for (const { chunkService, chunkSocket } of Object.values(await configsOf(t, { service })))
		assert.deepEqual([chunkService, chunkSocket], [service, undefined]);
	for (const { chunkService, chunkSocket } of Object.values(await configsOf(t, {})))
		assert.deepEqual([chunkService, chunkSocket?.endsWith('/chunks.sock')], [undefined, true]);
});
