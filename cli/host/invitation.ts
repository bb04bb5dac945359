/** What makes another machine a host of an installation, in one file: what it is called, where all is, and what opens it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { keyTexts, servedRepository, temporalAccessSchema } from '../../system/host-access.ts';
import { parseSecret } from '../../system/parse-secret.ts';
import { mustBeSecret } from '../../system/secret-file.ts';

const invitationSchema = z.strictObject({
	version: z.literal(0),
	/** What the installation calls the host: its `host.name`. */
	name: nameSchema,
	/** Random: by it recoveries find its workers. */
	hostId: z.uuid(),
	temporal: temporalAccessSchema,
	/** What `rouse repo serve` takes. */
	keys: z.strictObject(keyTexts),
	repositories: z.array(z.strictObject(servedRepository)).min(1),
});
export type Invitation = z.infer<typeof invitationSchema>;

export function invitationText(invitation: Invitation): string {
	return `${JSON.stringify(invitation, undefined, '\t')}\n`;
}

/** `config_invalid` for one that others may read, or that is not wholly understood. */
export async function readInvitation(path: string): Promise<Invitation> {
	await mustBeSecret(path);
	const text = await readFile(path, 'utf8').catch((cause: unknown) => {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new RouseError('usage', `the invitation cannot be read: ${why}`, { cause });
	});
	return parseSecret(text, path, invitationSchema);
}

/** Two invitations of one host differ in it: what opens what is served was made anew. */
export function digestOf(invitation: Invitation): string {
	return createHash('sha256').update(invitationText(invitation)).digest('hex');
}
