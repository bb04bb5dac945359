import { indexRecordBytes } from '../format/index-object.ts';

/** Records of one read: a bucket has 64 on average at most, and rarely a hundred. */
export const searchRecords = 128;

/** As many as are searched for at once by an import. */
const maxKept = 16;

const kept: Buffer[] = [];

/** Memory for the records of one read: a new piece for each search would be most of what is left to be collected. */
export function takeBlock(): Buffer {
	return kept.pop() ?? Buffer.allocUnsafeSlow(indexRecordBytes * searchRecords);
}

/** When nothing reads into it any more. */
export function giveBack(block: Buffer): void {
	if (kept.length < maxKept) kept.push(block);
}
