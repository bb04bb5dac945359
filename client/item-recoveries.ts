import type { LookedAt, Ordered, Prepared } from '../model/batch-glance.ts';
import { asRouseError, RouseError } from '../model/errors.ts';
import { glanceOf } from './item-glance.ts';
import type { TemporalClient } from './connection.ts';
import { HostElsewhere } from './host-elsewhere.ts';
import { Orders } from './orders.ts';
import { mayBeLeft } from './phases.ts';
import { isRemoved } from './removed-machine.ts';
import { decideItemStart } from './start-decision.ts';
import type { RecoverySummary } from './summaries.ts';
import { RecoveryWorkflows, recoveryUnknown } from './workflows.ts';

/** A server answers some hundred such questions a second, and has others to answer. */
const atOnce = 8;

interface Named {
	name: string;
	requestHash: string;
}

/** The recoveries of a batch, many at a time: looked for by the rules of {@link Recoveries.start}, looked at, and told. */
export class ItemRecoveries {
	readonly #temporal: TemporalClient;
	readonly #workflows: RecoveryWorkflows;

	constructor(temporal: TemporalClient) {
		this.#temporal = temporal;
		this.#workflows = new RecoveryWorkflows(temporal);
	}

	/** A host that does not answer counts as having what it had: its machine may run, and nothing is started in its place. */
	prepare(
		items: readonly (Named & { again?: boolean | undefined })[],
		{ again, signal }: { again: boolean; signal: AbortSignal },
	): Promise<Prepared[]> {
		const silent = new Set<string>();
		return forEach(items, signal, async ({ name, requestHash, again: named = false }): Promise<Prepared> => {
			const existing = await this.#workflows.find(name);
			if (!existing) return { name, is: 'free' };
			const removed = mayBeLeft(existing) && (await this.#isRemoved(existing, { silent, signal }));
			try {
				const outcome = decideItemStart(existing, requestHash, { again, named, removed });
				return outcome ? { name, is: 'found', glance: glanceOf(existing) } : { name, is: 'free' };
			} catch (error) {
				if (!(error instanceof RouseError)) throw error;
				return { name, is: 'refused', code: error.code, reason: error.message, phase: existing.phase };
			}
		});
	}

	look(items: readonly Named[], { signal }: { signal: AbortSignal }): Promise<LookedAt[]> {
		return forEach(items, signal, async ({ name, requestHash }) => {
			const found = await this.#workflows.find(name);
			return { name, glance: found?.requestHash === requestHash ? glanceOf(found) : null };
		});
	}

	/**
	 * Of two recoveries that had a name one after the other only the one that is meant is told; and of those that the batch is
	 * to have started none that it has not is discarded, whatever the batch takes it for.
	 */
	order(
		order: 'retry' | 'discard',
		items: readonly (Named & { recoveryId: string | null; own: boolean })[],
		{ batch, by, reason, signal }: { batch: string; by: string; reason?: string | undefined; signal: AbortSignal },
	): Promise<Ordered[]> {
		const orders = new Orders({ ...this.#temporal, caller: by });
		const why = reason === undefined ? {} : { reason };
		return forEach(items, signal, async ({ name, requestHash, recoveryId, own }) => {
			try {
				const found = await this.#workflows.find(name);
				if (!found) throw recoveryUnknown(name);
				const isMeant = recoveryId === null ? found.requestHash === requestHash : found.recoveryId === recoveryId;
				if (!isMeant || (order === 'discard' && own && found.batch !== batch)) throw another(name);
				await (order === 'retry' ? orders.retry(name, why) : orders.discard(name, { ...why, confirm: name }));
				return { name, refused: null };
			} catch (error) {
				signal.throwIfAborted();
				const { code, message } = asRouseError(error);
				return { name, refused: { code, reason: message } };
			}
		});
	}

	async #isRemoved(
		finished: RecoverySummary,
		{ silent, signal }: { silent: Set<string>; signal: AbortSignal },
	): Promise<boolean> {
		const { request } = finished;
		const host = finished.status?.host ?? request?.host;
		if (!request || host === undefined || silent.has(request.hostId)) return false;
		const elsewhere = new HostElsewhere(this.#temporal, { name: host, hostId: request.hostId });
		try {
			return await isRemoved(elsewhere, request.hostId, finished);
		} catch (error) {
			signal.throwIfAborted();
			if (!(error instanceof RouseError)) throw error;
			silent.add(request.hostId);
			return false;
		}
	}
}

function another(name: string): RouseError {
	return new RouseError('identity_conflict', `another recovery has the name ${name} than the one that is meant`);
}

async function forEach<From, To>(
	items: readonly From[],
	signal: AbortSignal,
	work: (item: From) => Promise<To>,
): Promise<To[]> {
	const results: To[] = [];
	for (let from = 0; from < items.length; from += atOnce) {
		signal.throwIfAborted();
		results.push(...(await Promise.all(items.slice(from, from + atOnce).map(work))));
	}
	return results;
}
