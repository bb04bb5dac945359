/**
 * What Google asks for reading an object, in US dollars, by its price list (cloud.google.com/storage/pricing: "Data transfer" and
 * "Retrieval fees", for North America and Europe). Said beforehand, so that nobody is surprised by the size of it: it is no bill.
 */
import { formatBytes } from '../../model/format-bytes.ts';

const usdPerGiB = {
	/** To the internet, up to 1 TiB in a month; more is cheaper. */
	outside: 0.12,
	/** To another region of the same continent. */
	otherRegion: 0.02,
};
/** By storage class; the others are read for nothing. */
const retrievalUsdPerGiB: Readonly<Record<string, number>> = { NEARLINE: 0.01, COLDLINE: 0.02, ARCHIVE: 0.05 };
const gib = 2 ** 30;

/** At most 200 characters. */
export function costOf(objects: readonly { sizeBytes: number; storageClass: string }[]): string {
	const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
	const retrieval = objects.reduce(
		(sum, { sizeBytes, storageClass }) => sum + (sizeBytes / gib) * (retrievalUsdPerGiB[storageClass] ?? 0),
		0,
	);
	const fee = retrieval === 0 ? '' : `; ${inUsd(retrieval)} for taking it out of its storage class`;
	const outside = inUsd((bytes / gib) * usdPerGiB.outside);
	const otherRegion = inUsd((bytes / gib) * usdPerGiB.otherRegion);
	return `${formatBytes(bytes)} are read: nothing in the bucket's region, about ${otherRegion} in another one, ${outside} out of Google${fee}`;
}

function inUsd(amount: number): string {
	return `${amount < 10 ? Math.max(0.01, amount).toFixed(2) : amount.toFixed(0)} USD`;
}
