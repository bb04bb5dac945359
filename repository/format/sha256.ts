import { hash } from 'node:crypto';

/** SHA-256 in hex: checksums and names of JSON objects, in every version (docs/format.md, "Digests"). */
export function sha256Of(bytes: Uint8Array): string {
	return hash('sha256', bytes, 'hex');
}
