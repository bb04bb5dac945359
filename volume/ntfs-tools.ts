import { RouseError } from '../model/errors.ts';
import { programPath } from '../system/program-path.ts';
import { runTool } from '../system/run-tool.ts';
import { clusterBytes } from './description.ts';
import { partitionAtBytes } from './geometry.ts';

export const installNtfsTools = 'apt-get install ntfs-3g';
export const ntfsPrograms = ['mkntfs', 'ntfscp', 'ntfsfallocate'] as const;

const sectorBytes = 512;
/** A volume of 14 TiB is made within seconds; a machine without a free core takes its time. */
const wholeMs = 300_000;

export interface NtfsToolOptions {
	signal?: AbortSignal | undefined;
}

/**
 * Makes an NTFS of a whole image. Nothing may be behind it yet: ntfsfix looks for the second boot sector at the image's end.
 */
export async function makeNtfs(image: string, options: NtfsToolOptions): Promise<void> {
	const sizes = ['--sector-size', `${sectorBytes}`, '--cluster-size', `${clusterBytes}`];
	// Windows wants them to boot from it, and mkntfs warns without: usual values for a disk behind a translation.
	const ofDisk = [
		'--partition-start',
		`${partitionAtBytes / sectorBytes}`,
		'--heads',
		'255',
		'--sectors-per-track',
		'63',
	];
	const quick = ['--force', '--quick', '--quiet', '--no-indexing'];
	await run('mkntfs', [...quick, ...sizes, ...ofDisk, '--label', 'ROUSE', image], options);
}

/** A file with all its clusters, none of them written. Whether it has them is to be looked at: ntfsfallocate says so anyway. */
export async function addFile(
	image: string,
	{ name, sizeBytes }: { name: string; sizeBytes: number },
	options: NtfsToolOptions,
): Promise<void> {
	await run('ntfscp', [image, '/dev/null', name], options);
	await run('ntfsfallocate', ['-l', `${sizeBytes}`, image, name], options);
}

async function run(
	program: (typeof ntfsPrograms)[number],
	args: readonly string[],
	{ signal }: NtfsToolOptions,
): Promise<void> {
	const env = { PATH: programPath() };
	const { code, tail } = await runTool(program, args, { hint: installNtfsTools, wholeMs, signal, env });
	if (code === 0) return;
	const said = tail.join(' ');
	// The file system that the image is on: one that finds no clusters in the image does not fail.
	if (said.includes('No space left on device'))
		throw new RouseError('space_short', `${program}: ${said}`, { hint: 'make room on the file system of the volume' });
	throw new RouseError('tool_failed', `${program} ended with ${code}: ${said}`);
}
