/**
 * An import in a process of its own, so that a test can kill it: `import-child.ts DIRECTORY PLACE COUNT` imports the disk
 * below and kills itself when it has reached PLACE for the COUNTth time (`never`: not at all). PLACE `progress` is
 * reached with every megabyte.
 */
import { openRepository } from '../../repository/repository.ts';
import { busyThreads, importDisks, noise, wholeSource } from './repositories.ts';

/** What the process imports. */
export const childDisk = (): Buffer => noise(24 * 1024 * 1024, 77);

if (import.meta.main) {
	const [directory = '', place = 'never', count = '1'] = process.argv.slice(2);
	let left = Number(count);
	const reached = (name: string) => {
		if (name === place && --left === 0) process.kill(process.pid, 'SIGKILL');
	};
	const repository = await openRepository(directory);
	const options = { reached, progress: () => reached('progress') };
	const result = await importDisks(
		repository,
		[wholeSource(childDisk())],
		{ packBytes: 4 * 1024 * 1024, threads: busyThreads },
		options,
	);
	process.stdout.write(JSON.stringify(result));
}
