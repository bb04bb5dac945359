import { cp } from 'node:fs/promises';
import type { BenchImageName } from '../../model/bench.ts';
import type { DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { MoverDisk } from '../../movers/config.ts';
import { initRepository } from '../../repository/repository.ts';
import { type Image, imageAt, makeChanged, makeDense, makeWhole } from './images.ts';
import { type IndexRound, indexRounds } from './index-rounds.ts';
import { runMeasured, type Cost, type RunOptions } from './measure.ts';
import { copyAll, makeTarget, RecoveryMovers, rouse, rouseEnvironment } from './own.ts';
import { Restic } from './restic.ts';
import type { Scope } from './scope.ts';
import { machine, storedDisk } from './stored-disk.ts';

const MiB = 2 ** 20;

export interface Sizes {
	/** Of the dense image; the whole one has the same files and half as much again. */
	imageBytes: number;
	/** In the simulated repository. */
	indexChunks: number;
	/** How long fio reads. */
	readMs: number;
	/** How long a mover is left alone before it is at rest. */
	restMs: number;
	/** Of the disk that is mostly zeros. */
	sparseBytes: number;
	rounds: number;
}

export interface StoredImage {
	repository: string;
	disk: DiskImage;
}

/** What several rows need: made when it is asked for first, and kept until the last row is done. Nobody changes it. */
export class Stock {
	readonly sizes: Sizes;
	readonly #scope: Scope;

	constructor(scope: Scope, sizes: Sizes) {
		this.#scope = scope;
		this.sizes = sizes;
	}

	readonly #dense = once(async () => {
		const path = this.#scope.path('dense.raw');
		const tree = this.#scope.path('tree');
		const files = await makeDense(path, this.sizes.imageBytes, tree);
		return { tree, files, image: await imageAt(path) };
	});

	readonly image = perImage(async (name: BenchImageName): Promise<Image> => {
		const { tree, files, image } = await this.#dense();
		if (name === 'dense') return image;
		const path = this.#scope.path('whole.raw');
		const sizeBytes = Math.ceil((image.sizeBytes * 1.5) / MiB) * MiB;
		await makeWhole(path, { tree, files, sizeBytes, signal: this.#scope.signal });
		return await imageAt(path);
	});

	/** The dense image a day later. */
	readonly changed = once(async (): Promise<Image> => {
		const path = this.#scope.path('changed.raw');
		await makeChanged(path, await this.image('dense'));
		return await imageAt(path);
	});

	readonly stored = perImage(async (name: BenchImageName): Promise<StoredImage> => {
		const repository = await this.newRepository(this.#scope);
		await this.importInto((await this.image(name)).path, repository, this.#scope);
		return { repository, disk: await storedDisk(repository) };
	});

	readonly restic = perImage(async (name: BenchImageName): Promise<Restic> => {
		const restic = await this.newRestic(this.#scope);
		await restic.backup((await this.image(name)).path);
		return restic;
	});

	/** The image as QEMU compresses it. */
	readonly qcow2 = perImage(async (name: BenchImageName): Promise<string> => {
		const path = this.#scope.path(`${name}.qcow2`);
		const how = ['-f', 'raw', '-O', 'qcow2', '-c', '-o', 'compression_type=zstd'];
		const { path: image } = await this.image(name);
		await runMeasured(['qemu-img', 'convert', ...how, image, path], { signal: this.#scope.signal });
		return path;
	});

	/** A target with all of the dense image, and its map. */
	readonly restored = once(async (): Promise<{ recoveryId: string; disk: MoverDisk }> => {
		const { repository, disk: image } = await this.stored('dense');
		const { recoveryId } = await RecoveryMovers.in(this.#scope);
		const disk = await makeTarget(this.#scope, image, { recoveryId });
		await this.#scope.within(async scope => {
			const movers = await RecoveryMovers.in(scope, recoveryId);
			await movers.repository(repository);
			const { control } = await movers.migration([disk]);
			await copyAll(control, scope.signal);
		});
		return { recoveryId, disk };
	});

	readonly indexRounds = once(
		async (): Promise<IndexRound[]> =>
			await indexRounds(this.#scope, { chunks: this.sizes.indexChunks, rounds: this.sizes.rounds }),
	);

	async newRepository(scope: Scope): Promise<string> {
		const directory = scope.path('repository');
		const { store } = await initRepository(directory);
		await store.close();
		return directory;
	}

	async importInto(path: string, repository: string, scope: Scope, more: Partial<RunOptions> = {}): Promise<Cost> {
		const argv = rouse('backup', 'import', path, '--machine', machine, '--format', 'raw', '--repo', repository);
		return await runMeasured(argv, { signal: scope.signal, env: rouseEnvironment(scope), ...more });
	}

	async newRestic(scope: Scope): Promise<Restic> {
		const restic = new Restic(scope, scope.path('restic'));
		await restic.init();
		return restic;
	}
}

/** A copy that is written to afterwards; it is on the disk by then, so that nobody else has to wait for it. */
export async function copyOf(directory: string, scope: Scope): Promise<string> {
	const copy = scope.path('copy');
	await cp(directory, copy, { recursive: true, preserveTimestamps: true });
	await runMeasured(['sync', '--file-system', copy], { signal: scope.signal });
	return copy;
}

/** Throws unless two digests are the same. */
export function expectSame(what: string, found: string, expected: string): void {
	if (found === expected) return;
	throw new RouseError('internal', `${what} differs from the image: SHA-256 ${found}, not ${expected}`);
}

/** Each image's own. */
function perImage<T>(make: (image: BenchImageName) => Promise<T>): (image: BenchImageName) => Promise<T> {
	const makers = { dense: once(() => make('dense')), whole: once(() => make('whole')) };
	return image => makers[image]();
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
	let made: Promise<T> | undefined;
	return () => (made ??= make());
}
