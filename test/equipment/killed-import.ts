/**
 * An import that can be killed and gone on with: `killed-import.ts DIRECTORY PLACE COUNT` imports the disks below and kills
 * itself when it has come to PLACE for the COUNTth time. PLACE `progress` is reached with every megabyte.
 */
import { importMachine } from '../../repository/import/import-machine.ts';
import { openRepository, type Repository } from '../../repository/repository.ts';
import { busyThreads, noise, SparseSource } from './repositories.ts';
import { sampleConfig, sampleDisks } from './sample-config.ts';

const mib = 1024 * 1024;

export const killedImport = {
	importId: '7c1d6a40-5a0e-4f27-9c27-3d0a4d6f1b02',
	machine: 'killed',
	time: '2026-11-25T03:00:00.000Z',
	moment: 'a snapshot',
};

/** Two, with gaps, and with the same data in both. */
export function killedDisks(): SparseSource[] {
	const piece = (offsetBytes: number, lengthBytes: number, seed: number) => ({
		offsetBytes,
		bytes: noise(lengthBytes, seed),
	});
	return [
		new SparseSource(40 * mib + 5, [piece(mib, 3 * mib, 1), piece(30 * mib, 2 * mib, 2)]),
		new SparseSource(3 * mib, [piece(0, mib, 2), piece(2 * mib, mib, 3)]),
	];
}

export async function goOn(repository: Repository, reached: (place: string) => void = () => {}): Promise<void> {
	const sources = killedDisks();
	const config = { ...sampleConfig, disks: sampleDisks(sources.length) };
	const request = { repository, ...killedImport, sources, config, packBytes: mib / 2, threads: busyThreads };
	await importMachine(request, { reached, progress: () => reached('progress') });
}

if (import.meta.main) {
	const [directory = '', place = '', count = '1'] = process.argv.slice(2);
	let left = Number(count);
	await goOn(await openRepository(directory), reached => {
		if (reached === place && --left === 0) process.kill(process.pid, 'SIGKILL');
	});
}
