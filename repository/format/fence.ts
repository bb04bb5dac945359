import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { openSealedJson } from './sealed-json.ts';

/**
 * Whether this is what a later version puts under a point's key so that a dead import cannot publish there (docs/format.md,
 * "Objects"): a time that is taken, and no point.
 */
export function isFence(bytes: Uint8Array, key: string): boolean {
	try {
		openSealedJson('rouse-fence', z.unknown(), bytes, key);
		return true;
	} catch (error) {
		if (error instanceof RouseError) return false;
		throw error;
	}
}
