import { constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { publishDurably, temporaryPath } from '../system/durable-file.ts';
import { namesIn } from '../system/names-in.ts';
import { checkBuildTools, imageTools } from './build-tools.ts';
import { hashInputs } from './inputs.ts';
import { makeDisk } from './make-disk.ts';
import { makeRoot } from './make-root.ts';
import { writeVhdx } from './vhdx-file.ts';

export interface BuildOptions {
	/** The image is kept there for the next one who asks. */
	cacheDirectory: string;
	/** Asks Debian anew for the packages of today. */
	fresh?: boolean | undefined;
	signal?: AbortSignal | undefined;
	/** What the tools say on the way. */
	onLine?: ((line: string) => void) | undefined;
}

export interface Appliance {
	vhdxPath: string;
	/** Names and versions of Debian's packages in it. */
	packagesPath: string;
	/** SHA-256 of what it was made of, without Debian. */
	inputs: string;
	/** False: it was in the cache. */
	built: boolean;
}

/** Of directories in which an image is being made, perhaps by somebody else. */
const workPrefix = 'build-';
/** Another architecture has no Hyper-V that we know. */
const architecture = 'x64';

/**
 * The image in the cache, made when it is not there; of earlier ones nothing is kept. Throws `tool_missing`, `access_denied`
 * when not root, and `tool_failed` with what the tool said.
 */
export async function buildAppliance(options: BuildOptions): Promise<Appliance> {
	const { images, place, ...image } = await placesOf(options);
	const { inputs } = image;
	if (options.fresh !== true && (await isThere(image.vhdxPath))) return { ...image, built: false };
	mustBeMaker();
	await checkBuildTools(imageTools);
	await mkdir(images, { recursive: true });
	const work = await mkdtemp(join(images, workPrefix));
	try {
		const made = await makeRoot(work, options);
		const disk = await makeDisk(made, inputs, work, options);
		const done = join(work, 'done');
		await mkdir(done);
		await writeFile(join(done, 'packages.txt'), made.packageList);
		await writeVhdx(disk, join(done, 'rouse-appliance.vhdx'), inputs, options.signal);
		for (const name of await namesIn(images))
			if (!name.startsWith(workPrefix)) await rm(join(images, name), { recursive: true, force: true });
		await rename(done, place);
	} finally {
		await rm(work, { recursive: true, force: true });
	}
	return { ...image, built: true };
}

/** Whether it is in the cache. */
export async function isBuilt(options: Pick<BuildOptions, 'cacheDirectory'>): Promise<boolean> {
	return await isThere((await placesOf(options)).vhdxPath);
}

/** Throws `access_denied` when not root, and `input_invalid` on another architecture. */
export function mustBeMaker(): void {
	if (process.arch !== architecture)
		throw new RouseError('input_invalid', `the appliance is made on ${architecture}, and this is ${process.arch}`);
	if (process.getuid?.() !== 0)
		throw new RouseError('access_denied', 'the appliance is made by root: its files are of several users', {
			hint: 'sudo -H rouse appliance build',
		});
}

async function placesOf({ cacheDirectory }: Pick<BuildOptions, 'cacheDirectory'>) {
	const images = join(cacheDirectory, 'appliance');
	const inputs = await hashInputs();
	const place = join(images, inputs.slice(0, 32));
	const vhdxPath = join(place, 'rouse-appliance.vhdx');
	return { images, place, vhdxPath, packagesPath: join(place, 'packages.txt'), inputs };
}

/** Copies an image to its user, with the list of packages beside it. Throws `name_conflict` for a name that is taken. */
export async function handOut({ vhdxPath, packagesPath }: Appliance, output: string): Promise<void> {
	const copy = temporaryPath(output);
	try {
		await copyFile(vhdxPath, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
		if (!(await publishDurably(copy, output)))
			throw new RouseError('name_conflict', `${output} exists already`, {
				hint: 'remove it, or choose another name with --output',
			});
	} finally {
		await rm(copy, { force: true });
	}
	await writeFile(packageListOf(output), await readFile(packagesPath));
}

export function packageListOf(output: string): string {
	return `${output}.packages.txt`;
}

async function isThere(path: string): Promise<boolean> {
	return await stat(path).then(
		() => true,
		() => false,
	);
}
