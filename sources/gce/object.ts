import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { type GsAddress, gsUri } from './address.ts';
import type { Asked, GoogleApi } from './google/api.ts';
import { GoogleFault } from './google/fault.ts';
import { inOurCodes, type Missing } from './refusals.ts';

/** A generation of an object: its bytes never change. */
export interface PinnedObject {
	address: GsAddress;
	generation: string;
	sizeBytes: number;
	/** CRC-32C of what is stored, packed or not. */
	crc32c: number;
}

export interface FoundObject extends PinnedObject {
	/** When this generation was written whole. */
	createdAt: string;
	storageClass: string;
}

const digits = z.string().regex(/^\d{1,19}$/);

/** JSON API documentation, "Objects" (resource representations). */
const resourceSchema = z.object({
	generation: digits,
	size: digits.transform(Number).pipe(z.int()),
	/** Big-endian, in base64; the one check sum that also objects have which were composed. */
	crc32c: z
		.string()
		.regex(/^[A-Za-z0-9+/]{6}==$/)
		.optional(),
	timeCreated: z.iso.datetime({ offset: true }),
	storageClass: z.string().max(40).default('STANDARD'),
	customerEncryption: z.unknown().optional(),
});

export const readObject = 'storage.objects.get';

/** The generation that is there now. `machine_unknown` when none is. */
export async function findObject(api: GoogleApi, address: GsAddress, signal: AbortSignal): Promise<FoundObject> {
	const uri = gsUri(address);
	return inOurCodes(
		{
			code: 'machine_unknown',
			message: `there is no ${uri}`,
			hint: 'see that bucket and name are right: gcloud storage ls says what there is',
		},
		() => lookAt(api, { address }, signal),
	);
}

/** The same generation again. Throws `moment_lost` when it is there no more. */
export async function findGeneration(
	api: GoogleApi,
	pinned: Pick<PinnedObject, 'address' | 'generation'>,
	signal: AbortSignal,
): Promise<FoundObject> {
	const found = await inOurCodes(goneObject(pinned), () =>
		lookAt(api, pinned, signal).catch(async (thrown: unknown) => {
			throw await unlessReplaced(thrown, { api, pinned, signal });
		}),
	);
	if (found.generation === pinned.generation) return found;
	// Whoever does not know generations answers with the latest one.
	const { code, message, hint } = goneObject(pinned);
	throw new RouseError(code, message, { hint });
}

export function goneObject({ address, generation }: Pick<PinnedObject, 'address' | 'generation'>): Missing {
	return {
		code: 'moment_lost',
		message: `${gsUri(address)} is not there any more as it was when it was looked at (generation ${generation})`,
		hint: 'it was deleted or written anew meanwhile; begin the import anew',
	};
}

/**
 * What was thrown of a generation, or that it is gone: who may not list a bucket is told 403 of what is not there. Who may look at
 * what has its name by now might look at it as well, were it there.
 */
export async function unlessReplaced(
	thrown: unknown,
	{
		api,
		pinned,
		signal,
	}: { api: GoogleApi; pinned: Pick<PinnedObject, 'address' | 'generation'>; signal: AbortSignal },
): Promise<unknown> {
	if (!(thrown instanceof GoogleFault) || thrown.fault !== 'denied') return thrown;
	const now = await lookAt(api, { address: pinned.address }, signal).catch(() => undefined); // the first refusal is the one to tell
	signal.throwIfAborted();
	if (now === undefined || now.generation === pinned.generation) return thrown;
	return new GoogleFault('missing', { call: readObject, word: 'another generation' });
}

async function lookAt(
	api: GoogleApi,
	{ address, generation }: Pick<PinnedObject, 'address'> & { generation?: string },
	signal: AbortSignal,
): Promise<FoundObject> {
	const url = objectUrl(api, address);
	if (generation !== undefined) url.searchParams.set('generation', generation);
	const found = await api.json({ call: readObject, url }, resourceSchema, signal);
	const uri = gsUri(address);
	if (found.customerEncryption !== undefined)
		throw new RouseError('source_invalid', `${uri} is encrypted with a key that Google has not (CSEK)`, {
			hint: 'copy it to an object that is encrypted with a key of Google or of Cloud KMS',
		});
	if (found.crc32c === undefined) throw new RouseError('source_invalid', `Google tells no CRC32C of ${uri}`);
	if (found.size === 0) throw new RouseError('source_invalid', `${uri} is empty: it has ${exactBytes(0)}`);
	return {
		address,
		generation: found.generation,
		sizeBytes: found.size,
		crc32c: Buffer.from(found.crc32c, 'base64').readUInt32BE(),
		createdAt: new Date(found.timeCreated).toISOString(),
		storageClass: found.storageClass,
	};
}

/** For its bytes; `ifGenerationMatch` and `generation` both, since not all that speak this API know both. */
export function mediaOf(api: GoogleApi, { address, generation }: PinnedObject): Asked {
	const url = objectUrl(api, address);
	url.searchParams.set('alt', 'media');
	url.searchParams.set('generation', generation);
	url.searchParams.set('ifGenerationMatch', generation);
	return { call: readObject, url };
}

function objectUrl({ endpoints }: GoogleApi, { bucket, object }: GsAddress): URL {
	return new URL(`b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(object)}`, endpoints.storage);
}

/** At most 200 characters, as keys and moments have: of the same one are the same bytes. Ends with the generation. */
export function generationName({ address, generation }: Pick<PinnedObject, 'address' | 'generation'>): string {
	return `${shortName(`${address.bucket}/${address.object}`, 180)}#${generation}`;
}

/** The text itself, or its beginning and a digest. */
export function shortName(text: string, most = 200): string {
	if (text.length <= most) return text;
	return `${text.slice(0, most - 70).toWellFormed()}… ${sha256Of(Buffer.from(text))}`;
}
