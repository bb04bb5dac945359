/** What Node made of our programs, in the image: the first boot would take minutes where the machine is slow, emulated for one. */
import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { moverNodeOptions } from '../system/node-options.ts';
import { namesIn } from '../system/names-in.ts';
import { programPath } from '../system/program-path.ts';
import { runTool } from '../system/run-tool.ts';

/** As the units name it: NODE_COMPILE_CACHE. */
const place = '/var/cache/rouse/compile';

/** Each ends at once, with an error, when all of it was loaded: it is told nothing that it could work with. Options as they run with: by some of them Node tells its caches apart. */
const programs: readonly (readonly string[])[] = [
	['cli/main.ts', 'version'],
	['supervisor/main.ts'],
	['workers/main.ts', '--roles', 'none'],
	[...moverNodeOptions, 'movers/mount-mover/main.ts'],
	[...moverNodeOptions, 'movers/migration-mover/main.ts'],
	['appliance/report/main.ts'],
	['appliance/first-boot/seed-disk.ts'],
	['appliance/first-boot/configure.ts'],
];

/** In the root file system of the image. Throws `tool_failed` when nothing came of it. */
export async function fillCompileCache(root: string, { signal }: { signal?: AbortSignal | undefined }): Promise<void> {
	const env = { PATH: programPath(), NODE_COMPILE_CACHE: place, ROUSE_HOME: '/dev/null' };
	for (const words of programs) {
		const args = words.map(word => (word.endsWith('.ts') ? join('/opt/rouse', word) : word));
		const node = ['/opt/node/bin/node', ...args];
		await runTool('chroot', [root, ...node], { hint: 'apt-get install coreutils', wholeMs: 120_000, signal, env });
	}
	if ((await namesIn(join(root, place))).length === 0)
		throw new RouseError('tool_failed', `Node in ${root} has left nothing in ${place}`);
}
