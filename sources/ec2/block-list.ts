import { RouseError } from '../../model/errors.ts';
import { blockBytes, type BlockPage, type BlockQuery, type Ec2Cloud } from './cloud.ts';
import { isFault } from './refusals.ts';

/** Tokens of one page that may expire between two calls. */
const mostExpired = 5;

/** What AWS says of a stretch of a snapshot's blocks. */
export interface ListedBlocks {
	from: number;
	/** The first block of which nothing is said. */
	to: number;
	/** By number, in order. Null: the snapshot does not have it, and it reads as zeros. */
	tokens: ReadonlyMap<number, string | null>;
}

export interface BlockListing {
	cloud: Pick<Ec2Cloud, 'listBlocks'>;
	snapshotId: string;
	/** The blocks that differ from this one alone; null: all that the snapshot has. */
	since: string | null;
	sizeBytes: number;
	/** Of a page. */
	most: number;
	/** Told of every page, also of one that has nothing. */
	onPage?: (() => void) | undefined;
}

/**
 * All that is listed from a block on, a page at a time. Pages are asked for by the block that they begin at: the token of one is valid
 * for an hour, and what it lists takes longer to be read on a slow line. Only behind an empty page, which is asked for at once, the
 * token goes on; when it is not taken all the same, the page is asked for once more by its block. Throws `source_invalid` for a list
 * that is none: by a wrong one a disk would be made of the wrong blocks.
 */
export async function* listedBlocks(
	{ cloud, snapshotId, since, sizeBytes, most, onPage }: BlockListing,
	startAt: number,
	signal: AbortSignal,
): AsyncGenerator<ListedBlocks> {
	const count = blocksOf(sizeBytes);
	let from = startAt;
	let pageToken: string | null = null;
	let expired = 0;
	while (from < count) {
		signal.throwIfAborted();
		const query: BlockQuery = { snapshotId, since, startAt: from, pageToken, most };
		const page: BlockPage | undefined = await cloud.listBlocks(query, signal).catch((error: unknown) => {
			if (pageToken === null || expired === mostExpired || !isFault(error, 'token')) throw error;
			return undefined;
		});
		if (page === undefined) {
			expired += 1;
			pageToken = null;
			continue;
		}
		onPage?.();
		mustBeList(page, { snapshotId, from, count, sizeBytes });
		const last = page.blocks.at(-1);
		if (last === undefined && page.next !== null) {
			if (page.next === pageToken) throw invalid(snapshotId, 'an empty page follows itself');
			pageToken = page.next;
			continue;
		}
		const to = last === undefined || page.next === null ? count : last.index + 1;
		yield { from, to, tokens: new Map(page.blocks.map(({ index, token }) => [index, token])) };
		[from, pageToken, expired] = [to, null, 0];
	}
}

export function blocksOf(sizeBytes: number): number {
	return Math.ceil(sizeBytes / blockBytes);
}

function mustBeList(
	page: BlockPage,
	{ snapshotId, from, count, sizeBytes }: { snapshotId: string; from: number; count: number; sizeBytes: number },
): void {
	if (page.blockBytes !== blockBytes)
		throw invalid(snapshotId, `it has blocks of ${page.blockBytes} bytes, not ${blockBytes}`);
	if (page.volumeBytes !== sizeBytes)
		throw invalid(snapshotId, `it is of a volume of ${page.volumeBytes} bytes, not ${sizeBytes}`);
	let next = from;
	for (const { index } of page.blocks) {
		if (index < next || index >= count)
			throw invalid(snapshotId, `block ${index} is listed where one from ${next} to ${count - 1} would be`);
		next = index + 1;
	}
}

function invalid(snapshotId: string, why: string): RouseError {
	return new RouseError('source_invalid', `the list of blocks of snapshot ${snapshotId} cannot be right: ${why}`);
}
