/**
 * Who reads what: where a repository is, one file for each recovery that was pinned or was to be, in the home of the
 * installation. By it the service gives the recovery's host the token, and its pin. It lies outside of the repository, which
 * may be full or read-only. While its unpin is not known to be done, the grant of a recovery that is over is *ended*: no
 * token any more, but its host may still take the pin away.
 */
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { digestSchema } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { nameSchema, pointTimeSchema } from '../../model/names.ts';
import { isErrno, removeFileDurably, replaceFileDurably, syncDirectory } from '../../system/durable-file.ts';
import { readIfThere } from '../../system/if-there.ts';
import { namesIn } from '../../system/names-in.ts';
import { places } from '../../system/installation.ts';

const grantSchema = z.strictObject({
	recoveryId: z.uuid(),
	/** Of the recovery. */
	name: nameSchema,
	/** Whose certificate is to be shown. */
	host: nameSchema,
	/** Its directory, as the request names it. */
	repository: z.string().min(1),
	machine: nameSchema,
	restorePoint: pointTimeSchema,
	manifestDigest: digestSchema,
});
export type Grant = z.infer<typeof grantSchema>;

export interface HeldGrant {
	grant: Grant;
	/** The recovery is over. */
	ended: boolean;
}

export class Grants {
	readonly #directory: string;

	constructor(home: string) {
		this.#directory = places.repositoryGrants(home);
	}

	/** Durable when it resolves; of one that had ended too, for a recovery may be taken up again. */
	async give(grant: Grant): Promise<void> {
		const { recoveryId } = grant;
		await mkdir(this.#directory, { recursive: true, mode: 0o700 });
		await replaceFileDurably(this.#path(recoveryId), JSON.stringify(grantSchema.parse(grant)));
		await removeFileDurably(this.#ended(recoveryId));
	}

	/** No token any more. Done already, or never given: nothing changes. Wants no room on the disk. */
	async end(recoveryId: string): Promise<void> {
		try {
			await rename(this.#path(recoveryId), this.#ended(recoveryId));
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return;
			throw error;
		}
		await syncDirectory(this.#directory);
	}

	/** Of a recovery that is over and has no pin; nothing happens to one that has not ended. */
	async forget(recoveryId: string): Promise<void> {
		await removeFileDurably(this.#ended(recoveryId));
	}

	/** `format_damaged` for a file that is none. */
	async read(recoveryId: string): Promise<HeldGrant | undefined> {
		const standing = await this.#readAt(this.#path(recoveryId));
		if (standing) return { grant: standing, ended: false };
		const over = await this.#readAt(this.#ended(recoveryId));
		return over && { grant: over, ended: true };
	}

	/** Whatever is there but what cannot be read, and how long ago it was given. */
	async list(): Promise<(HeldGrant & { ageMs: number })[]> {
		const found: (HeldGrant & { ageMs: number })[] = [];
		for (const name of await namesIn(this.#directory)) {
			const [, recoveryId] = /^(.+)\.(?:json|ended)$/.exec(name) ?? [];
			if (recoveryId === undefined) continue;
			try {
				const held = await this.read(recoveryId);
				const { mtimeMs } = await stat(join(this.#directory, name));
				if (held) found.push({ ...held, ageMs: Date.now() - mtimeMs });
			} catch (error) {
				const gone = isErrno(error, 'ENOENT');
				if (!gone && !(error instanceof RouseError && error.code === 'format_damaged')) throw error;
			}
		}
		return found;
	}

	async #readAt(path: string): Promise<Grant | undefined> {
		const text = await readIfThere(path);
		if (text === undefined) return undefined;
		try {
			const result = grantSchema.safeParse(JSON.parse(text));
			if (result.success) return result.data;
			throw new Error(refusalText(result.error));
		} catch (cause) {
			throw new RouseError('format_damaged', `${path} is no grant of a recovery`, {
				cause,
				hint: 'remove it, and bring the host a token by hand: rouse repo token NAME@POINT --recovery ID --to FILE',
			});
		}
	}

	#path(recoveryId: string): string {
		return join(this.#directory, `${recoveryId}.json`);
	}

	#ended(recoveryId: string): string {
		return join(this.#directory, `${recoveryId}.ended`);
	}
}
