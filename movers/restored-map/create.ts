import { RouseError } from '../../model/errors.ts';
import { createFileDurably } from '../../system/durable-file.ts';
import type { RestoredMapIdentity } from './identity.ts';
import { expectSameIdentity } from './identity.ts';
import { decodeHeader, encodeHeader, newNonce, type RestoredMapHeader } from './layout.ts';
import { openRestoredMapReader } from './reader.ts';

/**
 * Creates an empty map; it is durable when this resolves. A map of the same identity that is there already is left as it
 * is; any other is `identity_conflict`.
 *
 * Call it after the target exists and is durable, and remove the map before the target: a map without its target is
 * refused, a target without a map is merely filled again. `targetReadsZero` may be true only for a target that was just
 * made empty (sparse or fallocated) and that nothing has written to.
 */
export async function createRestoredMap(
	path: string,
	identity: RestoredMapIdentity,
	{ targetReadsZero }: { targetReadsZero: boolean },
): Promise<void> {
	const header: RestoredMapHeader = { identity, targetReadsZero, nonce: newNonce() };
	const bytes = encodeHeader(header);
	// Read back before it is published: a wrong header would condemn all that is restored under it.
	const again = decodeHeader(bytes, path);
	expectSameIdentity(path, again.identity, identity);
	if (again.targetReadsZero !== targetReadsZero)
		throw new RouseError('internal', `restored map ${path}: header does not read back as it was written`);
	if (await createFileDurably(path, bytes)) return;
	const found = await openRestoredMapReader(path, identity);
	await found.close();
}
