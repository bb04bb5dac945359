import { execFileSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DiskImage } from '../../model/chunk.ts';
import { MigrationMoverControl, RepositoryMoverControl } from '../../movers/client.ts';
import type { MigrationMoverConfig, MigrationMoverState, MoverDisk } from '../../movers/config.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { openRestoredMapReader } from '../../movers/restored-map/reader.ts';
import { waitFor } from '../../system/wait.ts';
import { type Captive, captive } from './captive.ts';
import { identityOf } from './restored-maps.ts';
import type { StoredDisk } from './stored-disk.ts';

export const sampleRecoveryId = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';

export interface MoverFaults {
	/** A place where it kills itself (system/reached.ts). */
	killAt?: string | undefined;
	/** Writes past this offset of any file fail with EFBIG, until `liftFileSizeLimit`. */
	fileSizeLimit?: number | undefined;
	/** What nice(1) adds to the priority's number. */
	niceness?: number | undefined;
}

/** A mover as a process of its own. */
export function startMover(
	t: Pick<TestContext, 'after'>,
	kind: 'repository' | 'migration' | 'mount',
	configPath: string,
	{ killAt = '', fileSizeLimit, niceness = 0 }: MoverFaults = {},
): Captive {
	const main = fileURLToPath(new URL(`../../movers/${kind}-mover/main.ts`, import.meta.url));
	// prlimit(1), nice(1) and env(1) become the program: the pid is the mover's. The ":" at the end leaves the hard limit.
	const limit = `--fsize=${fileSizeLimit ?? 'unlimited'}:`;
	const nice = ['nice', '-n', String(niceness)];
	const env = ['env', `ROUSE_TEST_KILL_AT=${killAt}`];
	return captive(t, 'prlimit', [limit, ...nice, ...env, process.execPath, main, configPath]);
}

export function liftFileSizeLimit(mover: Captive): void {
	execFileSync('prlimit', [`--pid=${mover.child.pid}`, '--fsize=unlimited:']);
}

export interface RepositoryMover extends Captive {
	chunkSocket: string;
	control: RepositoryMoverControl;
}

/** A repository mover that answers; a second one with the same directory takes the first one's place. */
export async function startRepositoryMover(
	...where: Parameters<typeof launchRepositoryMover>
): Promise<RepositoryMover> {
	const mover = await launchRepositoryMover(...where);
	await answering(mover, 'repository mover', () => mover.control.state());
	return mover;
}

/** One that may have ended before anybody could ask it. */
export async function launchRepositoryMover(
	t: Pick<TestContext, 'after'>,
	directory: string,
	repository: string,
	{ recoveries = join(directory, 'recoveries'), aloneMs = 60_000 } = {},
): Promise<RepositoryMover> {
	const chunkSocket = join(directory, 'chunks.sock');
	const controlSocket = join(directory, 'repository-mover.sock');
	const configPath = join(directory, 'repository-mover.json');
	await writeFile(configPath, JSON.stringify({ repository, chunkSocket, controlSocket, recoveries, aloneMs }));
	const mover = startMover(t, 'repository', configPath);
	return { ...mover, chunkSocket, control: new RepositoryMoverControl(controlSocket) };
}

/** A target as `allocate` leaves it, with its map. */
export async function allocateTarget(
	directory: string,
	image: DiskImage,
	{ name = 'disk0', targetReadsZero = true, fill = 0 } = {},
): Promise<MoverDisk> {
	const targetPath = join(directory, `${name}.raw`);
	const mapPath = join(directory, `${name}.map`);
	const size = Math.ceil(image.sizeBytes / 512) * 512;
	const file = await open(targetPath, 'wx');
	if (fill === 0) await file.truncate(size);
	else await file.writeFile(Buffer.alloc(size, fill));
	await file.sync();
	await file.close();
	const target = { path: targetPath, identity: await identityOf(targetPath), offsetBytes: 0 };
	const identity = restoredMapIdentity(sampleRecoveryId, image, target.identity);
	await createRestoredMap(mapPath, identity, { targetReadsZero });
	return { name, image, target, mapPath };
}

export interface MigrationMover extends Captive {
	config: MigrationMoverConfig;
	control: MigrationMoverControl;
}

export async function startMigrationMover(
	t: Pick<TestContext, 'after'>,
	directory: string,
	disks: MoverDisk[],
	faults: MoverFaults = {},
	changed: Partial<MigrationMoverConfig> = {},
): Promise<MigrationMover> {
	const config: MigrationMoverConfig = {
		recoveryId: sampleRecoveryId,
		disks,
		controlSocket: join(directory, 'migration-mover.sock'),
		offerSocket: join(directory, 'offer.sock'),
		chunkSocket: join(directory, 'chunks.sock'),
		aloneMs: 60_000,
		...changed,
	};
	const configPath = join(directory, 'migration-mover.json');
	await writeFile(configPath, JSON.stringify(config));
	const mover = startMover(t, 'migration', configPath, faults);
	const control = new MigrationMoverControl(config.controlSocket);
	await answering(mover, 'migration mover', () => control.state());
	return { ...mover, config, control };
}

/** Waits until the state is as wanted. */
export async function migrationState(
	mover: MigrationMover,
	what: string,
	wanted: (state: MigrationMoverState) => boolean,
	timeoutMs = 60_000,
): Promise<MigrationMoverState> {
	return waitFor(
		`migration mover: ${what}`,
		async () => {
			const state = await mover.control.state();
			return wanted(state) && state;
		},
		{ timeoutMs },
	);
}

/** How many chunks the map claims; throws unless the target holds the right bytes for each of them. */
export async function checkClaims(
	stored: StoredDisk,
	disk: MoverDisk,
): Promise<{ claimed: number; complete: boolean }> {
	const { chunkSizeBytes } = stored.image;
	const identity = restoredMapIdentity(sampleRecoveryId, stored.image, disk.target.identity);
	const map = await openRestoredMapReader(disk.mapPath, identity);
	const target = await open(disk.target.path, 'r');
	try {
		for (let chunk = 0; chunk < map.bitmap.chunkCount; chunk += 1) {
			if (!map.has(chunk)) continue;
			const start = chunk * chunkSizeBytes;
			const expected = stored.bytes.subarray(start, start + chunkSizeBytes);
			const found = Buffer.alloc(expected.length);
			await target.read(found, 0, found.length, start);
			if (!found.equals(expected)) throw new Error(`chunk ${chunk} is claimed and wrong`);
		}
		return { claimed: map.bitmap.restoredChunks, complete: map.bitmap.complete };
	} finally {
		await map.close();
		await target.close();
	}
}

async function answering(mover: Captive, what: string, ask: () => Promise<unknown>): Promise<void> {
	await waitFor(
		`${what} to answer`,
		async () => {
			if (mover.child.exitCode !== null) throw new Error(`${what}: ${mover.said()}`);
			// A socket left by one that was killed refuses: only an answer counts.
			return ask().then(
				() => true,
				() => false,
			);
		},
		{ timeoutMs: 20_000 },
	);
}
