/** How an import from a machine source is announced in its repository, so that it is told from one that a command makes. */
import { createHash } from 'node:crypto';
import { intentsOf } from '../../repository/import/intents-of.ts';
import { type ImportIntent, readIntent } from '../../repository/import/intent.ts';
import type { Repository } from '../../repository/repository.ts';
import type { Store } from '../../repository/store/contract.ts';
import type { Claim } from './documents.ts';

/**
 * What its intent calls the moment: with its owner. Commands never go on with such an import, and who sweeps leaves alone what a command
 * may go on with. Null stays null: nothing of that tells whose it is.
 */
export function announcedMoment(owner: string, moment: string | null): string | null {
	return moment === null ? null : `${owner}/${createHash('sha256').update(moment).digest('hex')}`;
}

/** The same of an attempt; one that goes on with what an earlier version has announced calls it as that did, by its bare name. */
export async function momentOfAttempt(
	store: Store,
	{ tag, owner }: Pick<Claim, 'tag' | 'owner'>,
	{ moment, signal }: { moment: string | null; signal: AbortSignal },
): Promise<string | null> {
	const standing = await readIntent(store, tag, signal);
	return standing?.moment === moment ? moment : announcedMoment(owner, moment);
}

export interface Announced {
	intent: ImportIntent;
	owner: string;
}

/** Imports of this machine from machine sources, of whatever identity, that have an intent here. */
export async function* announcedOf(
	{ id, store }: Repository,
	machine: string,
	signal: AbortSignal,
): AsyncGenerator<Announced> {
	for await (const intent of intentsOf(store, machine, signal)) {
		const owner = intent.moment?.slice(0, intent.moment.lastIndexOf('/'));
		if (owner?.startsWith(`${id}/${machine}/`)) yield { intent, owner };
	}
}
