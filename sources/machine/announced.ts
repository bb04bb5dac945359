/** How an import from a machine source is announced in its repository, so that it is told from one that a command makes. */
import { createHash } from 'node:crypto';
import { intentsOf } from '../../repository/import/intents-of.ts';
import type { ImportIntent } from '../../repository/import/intent.ts';
import type { Repository } from '../../repository/repository.ts';

/**
 * What its intent calls the moment: with its owner. Commands never go on with such an import, and who sweeps leaves alone what a command
 * may go on with. Null stays null: nothing of that tells whose it is.
 */
export function announcedMoment(owner: string, moment: string | null): string | null {
	return moment === null ? null : `${owner}/${createHash('sha256').update(moment).digest('hex')}`;
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
