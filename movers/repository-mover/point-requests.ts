import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { PlaceInPoint } from '../../repository/chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { readPoint } from '../../repository/points.ts';
import { type PointGrant, readToken } from '../../repository/service/point-token.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { LateRepository } from './late-repository.ts';
import { decodePlaces } from './protocol/names.ts';
import type { Admission } from './requests.ts';

/** Points whose disks are kept open, and the pages of each: some 150, with which reads all over 18 GiB of disk find theirs. */
const keptPoints = 32;
const pageBytesOfPoint = 8 * 1024 * 1024;

type GrantedPoint = Omit<PointGrant, 'recoveryId'>;

/** The disks of a restore point by the digests of their roots. */
type PointDisks = ReadonlyMap<string, DiskReader>;

/**
 * Requests by token and places. What is read for them is what the page map of the token's own point names there, never what
 * a request says: a place that led to another point's bytes cannot be written down.
 */
export class PointRequests {
	readonly #key: Uint8Array;
	readonly #repository: LateRepository;
	/** Insertion order is order of use. */
	readonly #points = new Map<string, Promise<PointDisks>>();

	/** `key` is that of the tokens. */
	constructor(key: Uint8Array, repository: LateRepository) {
		this.#key = key;
		this.#repository = repository;
	}

	/**
	 * `access_denied` for a token that is not of this installation or is for another repository, and for a place outside of
	 * its point; `point_unknown` for a point that is gone.
	 */
	readonly admit: Admission = ({ naming, says: token }) => {
		if (naming !== 'places') throw new RouseError('access_denied', 'chunks are named by their places here');
		if (token === '') throw new RouseError('access_denied', 'a token of a restore point is missing');
		const { recoveryId, ...point } = readToken(this.#key, token);
		return {
			stream: recoveryId,
			named: async names => {
				const disks = await this.#disksOf(point);
				const places = decodePlaces(names);
				return async (from, to, signal) => {
					const refs: ChunkRef[] = [];
					for (const place of places.slice(from, to)) refs.push(await refAt(disks, place, signal));
					return refs;
				};
			},
		};
	};

	#disksOf(point: GrantedPoint): Promise<PointDisks> {
		const key = JSON.stringify(point);
		const disks = this.#points.get(key) ?? this.#open(point);
		this.#points.delete(key);
		this.#points.set(key, disks);
		disks.catch(() => this.#points.delete(key));
		const [oldest] = this.#points.keys();
		if (this.#points.size > keptPoints && oldest !== undefined) this.#points.delete(oldest);
		return disks;
	}

	async #open({ machine, time, manifestDigest }: GrantedPoint): Promise<PointDisks> {
		const { repository, source } = await this.#repository.open();
		const point = await readPoint(repository, machine, time);
		if (point.manifestDigest !== manifestDigest)
			throw new RouseError('access_denied', `the token is for another ${machine}@${time} than the one that is here`);
		const chunks = new VerifiedChunks(source);
		const { disks: images } = point.manifest;
		const cacheBytes = pageBytesOfPoint / images.length;
		const disks = new Map<string, DiskReader>();
		for (const image of images)
			if (image.root) disks.set(image.root.digest, new DiskReader(chunks, image, { cacheBytes }));
		return disks;
	}
}

async function refAt(disks: PointDisks, place: PlaceInPoint, signal: AbortSignal): Promise<ChunkRef> {
	const { root, height, number } = place;
	const disk = disks.get(root);
	if (disk === undefined)
		throw new RouseError('access_denied', `no disk with root ${root} is in the restore point of the token`, {
			hint: 'look which restore point the token was made for',
		});
	const entry = await disk.entryAt({ height, number }, { signal });
	if (entry === undefined || entry === 'zero')
		throw new RouseError('protocol', `nothing is stored at height ${height}, number ${number} of disk ${root}`);
	return entry;
}
