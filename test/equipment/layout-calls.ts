import assert from 'node:assert/strict';
import type { LayoutExport } from '../../movers/mount-mover/layout/layout-export.ts';
import type { Extent, NbdFailure, NbdWriter } from '../../nbd/server/export.ts';
import { bytesOf } from './nbd-bytes.ts';

/** As the server reads: at once where that can be, else later. What is said to be zeros is. */
export async function layoutRead(layout: LayoutExport, offset: number, length: number): Promise<Buffer> {
	const now = Buffer.alloc(length + 2, 'untouched');
	const result = layout.readNow(now, 1, offset, length);
	assert.equal(now[0], 'u'.charCodeAt(0));
	const bytes = now.subarray(1, length + 1);
	if (result === 'zeroes') assert.ok(bytes.every(byte => byte === 0));
	if (result !== 'later') return bytes;
	return await new Promise((resolve, reject) => {
		layout.readLater(offset, length, read =>
			'errno' in read ? reject(new Error(read.message)) : resolve(bytesOf(read)),
		);
	});
}

export async function layoutBlockStatus(
	layout: LayoutExport,
	range: { offset: number; length: number; single: boolean },
): Promise<Extent[]> {
	return await new Promise((resolve, reject) => {
		layout.blockStatus(['base:allocation'], range, result =>
			Array.isArray(result) ? resolve(result[0] ?? []) : reject(new Error(result.message)),
		);
	});
}

export async function layoutWrite(
	writer: NbdWriter,
	offset: number,
	bytes: Buffer,
	durable: boolean,
): Promise<NbdFailure | undefined> {
	return await new Promise(resolve => {
		writer.write(offset, bytes, durable, resolve);
	});
}

export async function layoutFlush(writer: NbdWriter): Promise<NbdFailure | undefined> {
	return await new Promise(resolve => {
		writer.flush(resolve);
	});
}
