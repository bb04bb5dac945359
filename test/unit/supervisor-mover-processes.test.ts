/** What movers are started with, as their processes read it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { mountMoverConfigSchema, readMoverConfig } from '../../movers/config.ts';
import { freshIds } from '../../movers/mount-mover/layout/vhdx-layout.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { MoverProcesses, moverPrograms } from '../../supervisor/movers/processes.ts';
import type { Installation } from '../../system/installation.ts';
import type { VolumeFiles } from '../../volume/disk-files.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const image = { sizeBytes: 65_536, chunkSizeBytes: 65_536, contentDigest: 'b'.repeat(64), dataBytes: 0 };

/** A program that ends at once stands for the mover. */
async function configOfMount(t: TestContext, volume: VolumeFiles | undefined) {
	const home = await temporaryDirectory(t);
	const installation: Installation = { id: randomUUID(), home, runDirectory: join(home, 'run'), cacheDirectory: home };
	const program = join(home, 'ends.ts');
	await writeFile(program, '');
	const recoveryId = randomUUID();
	const places = recoveryPlaces(installation, 'web01', recoveryId);
	await mkdir(places.directory, { recursive: true });
	const target = { path: '/dev/null', identity: 'vhdx-1', offsetBytes: 0, readsZero: true };
	const movers = new MoverProcesses(installation, { ...moverPrograms, mount: program });
	const mount = movers.mount({
		recoveryId,
		repository: home,
		places,
		disks: [{ name: 'disk0', image, mapPath: join(places.directory, 'disk0.map') }],
		targets: async () => [target],
		volume: async () => volume,
	});
	await mount.start();
	const config = await readMoverConfig(places.mountMover.config, mountMoverConfigSchema);
	assert.ok(await mount.end());
	return config;
}

test('`MoverProcesses` tells the mount mover of the volume that its platform asks for, and of none otherwise', async t => {
	const sectors = { logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
	const volume: VolumeFiles = { directory: '/var/lib/rouse', files: [{ ids: freshIds(), sectors }] };
	assert.deepEqual((await configOfMount(t, volume)).volume, volume);
	assert.equal((await configOfMount(t, undefined)).volume, undefined);
});
