import type { IncomingMessage } from 'node:http';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { crc32c } from '../../vhdx/crc32c.ts';
import { gsUri } from './address.ts';
import type { GoogleApi } from './google/api.ts';
import { GoogleFault } from './google/fault.ts';
import { goneObject, mediaOf, type PinnedObject, readObject, unlessReplaced } from './object.ts';
import { sourceError } from './refusals.ts';
import type { SpooledObject } from './spooled-object.ts';

/**
 * All bytes of a generation, as they are stored: where an answer ends early, stands still or is refused for what may pass, the rest is
 * asked for; what is kept is not asked for at all. At the end the CRC-32C of all is compared. Ends by the signal's reason. Throws
 * `moment_lost`, `source_unreachable`, `source_invalid`, `access_denied`, and what keeping throws.
 */
export async function* bytesOfObject(
	api: GoogleApi,
	object: PinnedObject,
	signal: AbortSignal,
	kept?: SpooledObject,
): AsyncGenerator<Buffer> {
	const tries = api.tries();
	let at = 0;
	let sum = 0;
	for await (const piece of kept?.read() ?? []) {
		signal.throwIfAborted();
		at += piece.length;
		sum = crc32c(piece, sum);
		yield piece;
	}
	while (at < object.sizeBytes) {
		try {
			const answer = await rest(api, object, at, signal);
			for await (const piece of api.pieces(answer, readObject, signal)) {
				if (at + piece.length > object.sizeBytes) throw refused('more than it has');
				at += piece.length;
				sum = crc32c(piece, sum);
				tries.gained();
				await kept?.keep(piece);
				yield piece;
			}
			if (at < object.sizeBytes) throw new GoogleFault('cut', { call: readObject, word: `ended after ${at} bytes` });
		} catch (error) {
			await tries.again(error, signal).catch(async (last: unknown) => {
				throw sourceError(await unlessReplaced(last, { api, pinned: object, signal }), goneObject(object));
			});
		}
	}
	if (sum === object.crc32c) return;
	await kept?.remove();
	throw damaged(object, sum);
}

/** From `at` on to the end. */
async function rest(api: GoogleApi, object: PinnedObject, at: number, signal: AbortSignal): Promise<IncomingMessage> {
	const { sizeBytes } = object;
	const answer = await api.get(
		mediaOf(api, object),
		// What is stored packed and said to be so (`Content-Encoding: gzip`) is unpacked for who does not ask for it so, and without ranges.
		{ 'accept-encoding': 'gzip', range: `bytes=${at}-` },
		signal,
	);
	try {
		const { statusCode, headers } = answer;
		const generation = headers['x-goog-generation'];
		if (generation !== undefined && generation !== object.generation)
			throw new GoogleFault('changed', { call: readObject, word: 'another generation' });
		if (headers['x-goog-stored-content-encoding'] === 'gzip' && headers['content-encoding'] !== 'gzip')
			throw refused('unpacked on its way, so that it is not what is stored');
		const range = statusCode === 206 ? headers['content-range'] : undefined;
		const isWhole = statusCode === 200 && at === 0 && headers['content-length'] === String(sizeBytes);
		if (!isWhole && range !== `bytes ${at}-${sizeBytes - 1}/${sizeBytes}`)
			throw refused(`other bytes than were asked for, from ${at} to the end of ${sizeBytes}`);
		return answer;
	} catch (error) {
		answer.destroy();
		throw error;
	}
}

function refused(word: string): GoogleFault {
	return new GoogleFault('refused', { call: readObject, word });
}

function damaged({ address, sizeBytes, crc32c: told }: PinnedObject, sum: number): RouseError {
	const hex = (value: number) => value.toString(16).padStart(8, '0');
	return new RouseError(
		'source_invalid',
		`${gsUri(address)}: ${exactBytes(sizeBytes)} came whose CRC32C is ${hex(sum)}, and Google says ${hex(told)}`,
		{ hint: 'something between here and Google changes them, or the spool does; import again' },
	);
}
