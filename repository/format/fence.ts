import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { manifestFields } from './manifest.ts';
import { openSealedJson, sealJson } from './sealed-json.ts';

const type = 'rouse-fence';

/** Under a point's key: the import can publish there no more (docs/format.md, "Fence"). A time that is taken, and no point. */
const fenceSchema = manifestFields.pick({ repositoryId: true, machine: true, time: true, importId: true });
export type Fence = z.infer<typeof fenceSchema>;

export function encodeFence(fence: Fence): Buffer {
	return sealJson(type, fenceSchema.parse(fence));
}

/** Throws `repository_unsupported` or `format_damaged`. `key` is where it was found. */
export function decodeFence(bytes: Uint8Array, key: string): Fence {
	return openSealedJson(type, fenceSchema, bytes, key);
}

/** Whether it is one, whatever it says: it is no point at any rate. */
export function isFence(bytes: Uint8Array, key: string): boolean {
	try {
		openSealedJson(type, z.unknown(), bytes, key);
		return true;
	} catch (error) {
		if (error instanceof RouseError) return false;
		throw error;
	}
}
