/**
 * An attempt of an import in a process of its own: `resumed-import-child.ts DIRECTORY` says `begun` when its intent stands, and at
 * its end where it has read.
 */
import type { DiskSource } from '../../repository/import/disk-source.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { openRepository } from '../../repository/repository.ts';
import { busyThreads, noise, SparseSource } from './repositories.ts';
import { sampleConfig, sampleDisks } from './sample-config.ts';

export const resumedImport = {
	importId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
	machine: 'web01',
	time: '2026-11-20T03:00:00.000Z',
	moment: 'then',
};

const mebibyte = 1024 * 1024;

/** Two disks with gaps. */
export function resumedDisks(): SparseSource[] {
	const data = noise(16 * mebibyte, 5);
	const piece = (offsetMiB: number, fromMiB: number, toMiB: number) => ({
		offsetBytes: offsetMiB * mebibyte,
		bytes: data.subarray(fromMiB * mebibyte, toMiB * mebibyte),
	});
	return [
		new SparseSource(100 * mebibyte, [piece(3, 0, 6), piece(50, 6, 12)]),
		new SparseSource(9 * mebibyte, [piece(1, 12, 16)]),
	];
}

async function attemptImport(directory: string, sources: readonly DiskSource[], begun: () => void): Promise<void> {
	const repository = await openRepository(directory);
	const config = { ...sampleConfig, disks: sampleDisks(sources.length) };
	const request = { repository, ...resumedImport, sources, config, packBytes: mebibyte, threads: busyThreads };
	const reached = (place: string) => {
		if (place === 'intent') begun();
	};
	await importMachine(request, { reached });
	await repository.store.close();
}

if (import.meta.main) {
	const [directory = ''] = process.argv.slice(2);
	const sources = resumedDisks();
	await attemptImport(directory, sources, () => process.stdout.write('begun\n'));
	process.stdout.write(`${JSON.stringify(sources.map(({ reads }) => reads))}\n`);
}
