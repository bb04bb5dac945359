import { stat } from 'node:fs/promises';
import type { RestoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { fileIdentity } from '../../system/file-identity.ts';

/** Identity of a made-up disk of so many chunks of 4 KiB, the last one not full. */
export function identityOfDisk(chunks: number, more: Partial<RestoredMapIdentity> = {}): RestoredMapIdentity {
	return {
		recoveryId: '7d1f2c44-5f0e-4b7a-9a54-0f6b7c1d2e3f',
		contentDigest: 'ab'.repeat(32),
		sizeBytes: chunks * 4096 - 100,
		chunkSizeBytes: 4096,
		target: 'file-4711-1795000000123456789',
		...more,
	};
}

/** What a platform that keeps its targets as files calls one. */
export async function identityOf(path: string): Promise<string> {
	return fileIdentity(await stat(path, { bigint: true }));
}
