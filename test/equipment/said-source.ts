import assert from 'node:assert/strict';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';

/** A disk whose extents are what a test says. It holds the import to how it may read. */
export class SaidSource implements DiskSource {
	readonly sizeBytes: number;
	readonly baseDisk: number | undefined;
	readonly #bytes: Buffer;
	readonly #told: readonly SourceExtent[];
	#readTo = 0;
	/** In their order. */
	readonly reads: { offsetBytes: number; lengthBytes: number }[] = [];

	constructor(bytes: Buffer, extents: readonly SourceExtent[], baseDisk?: number) {
		this.sizeBytes = bytes.length;
		this.baseDisk = baseDisk;
		this.#bytes = bytes;
		this.#told = extents;
	}

	async *extents(): AsyncGenerator<SourceExtent> {
		for (const extent of this.#told) yield extent;
	}

	async read(offsetBytes: number, into: Buffer): Promise<void> {
		assert.ok(offsetBytes >= this.#readTo, 'reads begin in ascending order, and no byte is asked for twice');
		this.#readTo = offsetBytes + into.length;
		assert.ok(this.#readTo <= this.sizeBytes);
		this.reads.push({ offsetBytes, lengthBytes: into.length });
		this.#bytes.copy(into, 0, offsetBytes, this.#readTo);
	}

	async close(): Promise<void> {}
}
