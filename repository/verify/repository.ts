import { BadPlaces } from '../bad-places.ts';
import { DirectChunkSource } from '../direct-chunk-source.ts';
import { mayDelete } from '../features.ts';
import type { Repository } from '../repository.ts';
import { systemClock } from '../../system/clock.ts';
import { VerifiedChunks } from '../verified-chunks.ts';
import { verifyKeys } from './all-keys.ts';
import { verifyBadMarks } from './bad-marks.ts';
import { type Finding, Findings } from './findings.ts';
import { FooterPlaces } from './footer-places.ts';
import { verifyIndexes } from './indexes.ts';
import { verifyJournals } from './journals.ts';
import { tellOfWrongChunks, verifyPacks } from './packs.ts';
import { PagePlaces } from './page-places.ts';
import { PointsWalk } from './points.ts';
import { verifyFeatures, verifyHeader, verifyIntents, verifyPins } from './small-objects.ts';
import { expectHeader } from '../expect-header.ts';
import { Suspects } from './suspects.ts';
import type { Verification } from './verification.ts';

export interface RepositoryVerification {
	id: string;
	location: string;
	objects: number;
	packs: number;
	/** In packs whose footers can be read. */
	chunks: number;
	points: number;
	/** Of packs and indexes. */
	readBytes: number;
	findings: Finding[];
	/** Of these, damage. */
	damaged: number;
	/** Findings that are too many to be told. */
	leftOut: number;
	/** Marks of bad places that were wrong, and are gone. */
	cleared: number;
	durationMs: number;
}

export interface RepositoryVerifyProgress {
	doneBytes: number;
	totalBytes: number;
	damaged: number;
}

export interface RepositoryVerifyOptions {
	/** Takes marks of bad places away that are wrong. */
	clear?: boolean;
	progress?: (progress: RepositoryVerifyProgress) => void;
	signal?: AbortSignal | undefined;
}

/**
 * Looks at everything in a repository, packs whole. Damage is collected, not thrown; what is thrown keeps it from looking:
 * `store_unreachable`, `repository_unsupported` for `clear` where nothing may be deleted, the signal's reason. Its memory
 * grows by some hundred bytes for each pack, and with what is wrong up to a bound.
 */
export async function verifyRepository(
	repository: Repository,
	{ clear = false, progress, signal }: RepositoryVerifyOptions = {},
): Promise<RepositoryVerification> {
	const startedAt = performance.now();
	const { store, id, location } = repository;
	if (clear) await mayDelete(store, signal);
	const bad = await BadPlaces.load(store, signal);
	const findings = new Findings();
	const suspects = new Suspects();
	let totalBytes = 0;
	let doneBytes = 0;
	const onBytes = (bytes: number) => {
		doneBytes += bytes;
		progress?.({ doneBytes, totalBytes: Math.max(totalBytes, doneBytes), damaged: findings.damaged });
	};
	const chunks = new VerifiedChunks(new DirectChunkSource(store, systemClock, bad));
	const pages = new PagePlaces();
	const work: Verification = { repository, chunks, pages, bad, findings, suspects, onBytes, clear, signal };

	await verifyHeader(work);
	await verifyFeatures(work);
	const { objects, bytes } = await verifyKeys(work);
	totalBytes = bytes;
	await verifyPins(work);
	await verifyIntents(work);
	await verifyJournals(work);
	const { wrong, prints, ...counts } = await verifyPacks(work);
	await verifyIndexes(work, prints);
	const points = await verifyPoints(work);
	for (const pack of wrong) tellOfWrongChunks(work, pack);
	const cleared = await verifyBadMarks(work);
	// A file system that is away looks like a repository that has lost all, or holds nothing: neither is to be told.
	await expectHeader(store, signal);

	const { list, damaged, leftOut } = findings;
	const durationMs = Math.round(performance.now() - startedAt);
	const found = { findings: list, damaged, leftOut, cleared };
	return { id, location, objects, ...counts, points, readBytes: doneBytes, ...found, durationMs };
}

/** Walks once more when something is lost: only then it is known by whom it is missed. */
async function verifyPoints(work: Verification): Promise<number> {
	const walk = new PointsWalk(work, new FooterPlaces(work));
	const told = await walk.walk();
	await work.suspects.settle(work.repository.store, work.signal);
	work.findings.take(work.suspects.anyLost || walk.anyPageLost ? await walk.walk() : told);
	return walk.points;
}
