/**
 * What a host elsewhere shows for the chunks of a restore point, besides its certificate:
 *
 *     base64url(JSON of the grant) "." base64url(HMAC-SHA-256 of what is before the point)
 *
 * The key is the serving installation's (service-keys.ts): whoever can read the repository there gives tokens out, and a host
 * makes none. A token holds as long as its key.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { digestSchema } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { nameSchema, pointTimeSchema } from '../../model/names.ts';

const pointGrantSchema = z.strictObject({
	recoveryId: z.uuid(),
	machine: nameSchema,
	time: pointTimeSchema,
	/** Another point that gets this name later is not meant. A manifest has its repository's id, so no other repository is. */
	manifestDigest: digestSchema,
});
/** The chunks of one restore point, for one recovery. */
export type PointGrant = z.infer<typeof pointGrantSchema>;

/** Of a longer text nothing is computed. */
const maxTokenLength = 2048;

export function makeToken(key: Uint8Array, grant: PointGrant): string {
	const said = Buffer.from(JSON.stringify(pointGrantSchema.parse(grant))).toString('base64url');
	return `${said}.${sealOf(key, said).toString('base64url')}`;
}

/** What a token grants. `access_denied` for whatever this key has not made; the message does not repeat it. */
export function readToken(key: Uint8Array, token: string): PointGrant {
	const [said = '', seal = '', more] = token.length > maxTokenLength ? [] : token.split('.');
	const shown = Buffer.from(seal, 'base64url');
	const right = sealOf(key, said);
	if (more !== undefined || shown.length !== right.length || !timingSafeEqual(shown, right)) throw notOurs();
	const grant = pointGrantSchema.safeParse(JSON.parse(Buffer.from(said, 'base64url').toString('utf8')));
	if (!grant.success) throw notOurs();
	return grant.data;
}

function notOurs(): RouseError {
	return new RouseError('access_denied', 'the token is not of this installation, or not whole', {
		hint: 'make one where the repository is: rouse repo token NAME@POINT --recovery ID --to FILE',
	});
}

/** The first words keep what else may be sealed with this key apart. */
function sealOf(key: Uint8Array, said: string): Buffer {
	return createHmac('sha256', key).update(`rouse point token 0\n${said}`).digest();
}
