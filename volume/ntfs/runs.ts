import { damaged } from './damaged.ts';

export interface Run {
	/** First cluster on the volume; undefined for a hole. */
	cluster: number | undefined;
	clusters: number;
}

/** More is no file that was allocated at once. */
const mostRuns = 1024;

/**
 * The mapping pairs of an attribute: a byte that says how long the two numbers are that follow, the run's length and its
 * cluster less that of the run before (libntfs-3g/runlist.c). Throws `format_damaged` for what does not end, or lies
 * outside of a volume of `volumeClusters`.
 */
export function decodeRuns(pairs: Buffer, volumeClusters: number): Run[] {
	const runs: Run[] = [];
	let previous = 0;
	for (let at = 0; ; ) {
		const sizes = pairs[at];
		if (sizes === undefined) throw damaged('runs without an end');
		if (sizes === 0) return runs;
		const lengthBytes = sizes & 0xf;
		const clusterBytes = sizes >> 4;
		const end = at + 1 + lengthBytes + clusterBytes;
		if (lengthBytes < 1 || lengthBytes > 6 || clusterBytes > 6 || end > pairs.length || runs.length === mostRuns)
			throw damaged(`a run by ${lengthBytes} and ${clusterBytes} bytes after ${runs.length} others`);
		const clusters = pairs.readIntLE(at + 1, lengthBytes);
		const isHole = clusterBytes === 0;
		if (!isHole) previous += pairs.readIntLE(at + 1 + lengthBytes, clusterBytes);
		if (clusters < 1 || clusters > volumeClusters || previous < 0 || (!isHole && previous + clusters > volumeClusters))
			throw damaged(`a run of ${clusters} clusters at ${previous} of ${volumeClusters}`);
		runs.push({ cluster: isHole ? undefined : previous, clusters });
		at = end;
	}
}
