import type { BadPlaces } from '../bad-places.ts';
import type { Repository } from '../repository.ts';
import type { VerifiedChunks } from '../verified-chunks.ts';
import type { Findings } from './findings.ts';
import type { PagePlaces } from './page-places.ts';
import type { Suspects } from './suspects.ts';

/** What the parts of a look at a whole repository share. */
export interface Verification {
	repository: Repository;
	chunks: VerifiedChunks;
	pages: PagePlaces;
	bad: BadPlaces;
	findings: Findings;
	suspects: Suspects;
	/** Bytes of packs and indexes that are done with. */
	onBytes: (bytes: number) => void;
	/** Whether marks that are wrong are to be taken away. */
	clear: boolean;
	signal?: AbortSignal | undefined;
}
