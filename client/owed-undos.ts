/** Hosts that were left before power-on, and have not said yet that they have nothing of the recovery any more. */
import { WorkflowNotFoundError } from '@temporalio/client';
import * as z from 'zod';
import { giveUpSignal, owedUndoOf, owedUndoWorkflow } from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistory } from './history.ts';
import type { Why } from './orders.ts';
import { RecoveryWorkflows } from './workflows.ts';

export interface OwedUndo {
	workflowId: string;
	/** The recovery, which may be over by now. */
	recovery: string;
	recoveryId: string;
	host: string;
	/** When the host was left. */
	since: string;
}

/** One that a recovery has left, with the history of what it is owed. */
export interface HostLeft {
	host: string;
	history: HistoryEntry[];
}

const memoSchema = z.object({ since: z.iso.datetime() });

export class OwedUndos {
	readonly #workflows: RecoveryWorkflows;
	readonly #caller: string;

	constructor(temporal: TemporalClient) {
		this.#workflows = new RecoveryWorkflows(temporal);
		this.#caller = temporal.caller;
	}

	/** The oldest first; of one host, or of all. What has just begun or ended is not there, or still there, for a moment. */
	async list(host?: string): Promise<OwedUndo[]> {
		const query = `WorkflowType = '${owedUndoWorkflow}' AND ExecutionStatus = 'Running'`;
		return await this.#workflows.call(undefined, async () => {
			const found: OwedUndo[] = [];
			for await (const { workflowId, memo, startTime } of this.#workflows.client.workflow.list({ query })) {
				const of = owedUndoOf(workflowId);
				const since = memoSchema.safeParse(memo).data?.since ?? startTime.toISOString();
				if (of && (host === undefined || of.host === host)) found.push({ workflowId, ...of, since });
			}
			return found.toSorted((a, b) => a.since.localeCompare(b.since));
		});
	}

	/**
	 * The host is gone for good: nobody waits for it any more. Recoveries that are open are told, and never come back to it; what
	 * it has of them stays there. Those that were given up.
	 */
	async giveUp(host: string, why: Why): Promise<OwedUndo[]> {
		const owed = await this.list(host);
		for (const { workflowId } of owed) {
			const handle = this.#workflows.client.workflow.getHandle(workflowId);
			await this.#workflows.call(undefined, async () => {
				try {
					await handle.signal(giveUpSignal, { ...why, by: this.#caller });
				} catch (error) {
					if (!(error instanceof WorkflowNotFoundError)) throw error; // it is undone
				}
			});
		}
		return owed;
	}

	/** Of the hosts that a recovery has left, by its own history: how each of these fares. */
	async histories(history: readonly HistoryEntry[]): Promise<HostLeft[]> {
		const ids = history.flatMap(({ kind, name }) => (kind === 'child_started' && name ? [`owed-undo/${name}`] : []));
		return await Promise.all(
			[...new Set(ids)].map(async id => ({ host: owedUndoOf(id)?.host ?? id, history: await this.#history(id) })),
		);
	}

	#history(workflowId: string): Promise<HistoryEntry[]> {
		const { client, read } = this.#workflows;
		return this.#workflows.call(undefined, async () => {
			try {
				return await readHistory(client, workflowId, read);
			} catch (error) {
				if (error instanceof WorkflowNotFoundError) return []; // longer ago than the server remembers
				throw error;
			}
		});
	}
}
