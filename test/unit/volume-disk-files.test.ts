import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshIds, vhdxExport } from '../../movers/mount-mover/layout/vhdx-layout.ts';
import { volumeRequestSchema } from '../../volume/description.ts';
import { volumeRequestOf } from '../../volume/disk-files.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import { sampleGuids } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;
const usual = { logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
const large = { logicalSectorBytes: 4096, physicalSectorBytes: 4096 } as const;

test('`volumeRequestOf` asks for files of the sizes that the exports have, also of odd disks and large sectors', () => {
	const disks = [
		{ sizeBytes: 512, sectors: usual },
		{ sizeBytes: 33 * MiB, sectors: usual },
		{ sizeBytes: 32 * MiB + 100, sectors: large },
	];
	const request = volumeRequestOf(sampleGuids, disks);
	assert.deepEqual(volumeRequestSchema.parse(request), request);
	const served = disks.map(({ sizeBytes, sectors }, number) => {
		const disk = new MemoryExport(`disk${number}`, Buffer.alloc(sizeBytes));
		const { name, sizeBytes: fileBytes } = vhdxExport(disk, { ids: freshIds(), sectors });
		return { name, sizeBytes: fileBytes };
	});
	assert.deepEqual(request, { ...sampleGuids, files: served });
});

test('`volumeRequestOf` refuses a disk that no VHDX can hold', () => {
	assert.throws(() => volumeRequestOf(sampleGuids, [{ sizeBytes: 65 * 2 ** 40, sectors: usual }]), {
		code: 'input_invalid',
	});
});
