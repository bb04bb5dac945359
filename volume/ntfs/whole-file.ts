import type { FileExtent } from '../description.ts';
import { setInitialized } from './attributes.ts';
import { damaged } from './damaged.ts';
import type { FileRecord, Mft } from './mft.ts';
import { encodeRecord } from './record.ts';

/** Where the bytes of a file lie that was allocated whole. Throws `format_damaged` when it was not. */
export function extentsOf(mft: Mft, name: string, sizeBytes: number): FileExtent[] {
	const { data } = mft.file(name);
	const { clusterBytes } = mft.geometry;
	if (data.flags !== 0) throw damaged(`${name} is compressed, encrypted or sparse: flags ${data.flags}`);
	if (data.dataBytes !== sizeBytes || data.allocatedBytes !== sizeBytes)
		throw damaged(`${name} has ${data.dataBytes} bytes, ${data.allocatedBytes} allocated, and not ${sizeBytes}`);
	const extents = data.runs.map(({ cluster, clusters }) => {
		if (cluster === undefined) throw damaged(`${name} has a hole`);
		return { offsetBytes: cluster * clusterBytes, sizeBytes: clusters * clusterBytes };
	});
	const held = extents.reduce((sum, extent) => sum + extent.sizeBytes, 0);
	if (held !== sizeBytes) throw damaged(`the extents of ${name} have ${held} bytes, not ${sizeBytes}`);
	return extents;
}

export function isInitialized(mft: Mft, name: string): boolean {
	const { data } = mft.file(name);
	return data.initializedBytes === data.dataBytes;
}

/**
 * What to write where in the partition so that a file is its clusters' bytes, where it would read zero because nothing
 * was written to it.
 */
export function initializedPatch({ record, atBytes, data }: FileRecord): { atBytes: number; bytes: Buffer } {
	const patched = { ...record, bytes: Buffer.from(record.bytes) };
	setInitialized(patched, data);
	return { atBytes, bytes: encodeRecord(patched) };
}
