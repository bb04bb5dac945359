/** What the steps of an import say to each other, as it goes through Temporal. */
import { type SourceMoment, sourceMomentSchema } from '../../sources/machine/documents.ts';
import { type ImportOrder, importOrderSchema } from '../../sources/machine/order.ts';
import { ownerOf } from '../../sources/machine/owner.ts';
import type { ImportInput } from '../../workflows/import-contracts.ts';

export const repositoryId = '5d0c3b52-7c0e-4a7a-9a52-3c1d6f1c9b11';

export const importInput: ImportInput = {
	source: 'web',
	repository: '/srv/repository',
	repositoryId,
	machine: 'web01',
	maxRateBytes: null,
};

export const importWorkflow = `import/${repositoryId}/web01`;

const disks = [
	{ key: 'vol-0', sizeBytes: 2 ** 30 },
	{ key: 'vol-1', sizeBytes: 2 ** 20 },
];

export function importOrder(tag: string, changes: Partial<ImportOrder> = {}): ImportOrder {
	return importOrderSchema.parse({
		tag,
		owner: ownerOf(repositoryId, 'web01', 'i-1'),
		identity: 'i-1',
		described: {
			kind: 'simulated',
			uri: 'simulated:///srv/machine',
			identity: 'i-1',
			name: 'a machine',
			ids: {},
			config: {},
			disks: disks.map(disk => ({ ...disk, slot: null, serial: null, sectors: null })),
			leftOut: [],
		},
		plan: {
			disks: disks.map(({ key }) => ({ key, reads: 'all', why: 'nothing is kept of it' })),
			consistency: 'crash',
			cost: null,
			warnings: [],
		},
		since: null,
		machine: 'web01',
		time: '2026-11-20T03:00:00.000Z',
		spec: {},
		base: null,
		...changes,
	});
}

export function importMoment({ tag, owner, identity }: ImportOrder, changes: Partial<SourceMoment> = {}): SourceMoment {
	return sourceMomentSchema.parse({
		tag,
		owner,
		identity,
		moment: 'snap-1',
		takenAt: '2026-11-20T03:00:01.000Z',
		holdUntil: null,
		together: true,
		disks: disks.map(disk => ({ ...disk, consistency: 'crash' })),
		checkpoint: { snapshot: 'snap-1' },
		state: {},
		...changes,
	});
}

export const copied = {
	restorePoint: '2026-11-20T03:00:00.000Z',
	manifestDigest: 'a'.repeat(64),
	newBytes: 4096,
	storedBytes: 1024,
	warnings: [],
	reads: disks.map(() => ({ reads: 'all' as const, why: 'nothing is kept of it' })),
};
