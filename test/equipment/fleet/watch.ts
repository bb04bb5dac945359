import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TemporalClient } from '../../../client/connection.ts';
import { hasEnded } from '../../../client/phases.ts';
import { type RecoverySummary, summarise } from '../../../client/summaries.ts';
import { RecoveryWorkflows } from '../../../client/workflows.ts';
import type { InnerServiceName } from '../../../keeper/services.ts';
import { asRouseError } from '../../../model/errors.ts';
import { readDocument } from '../../../supervisor/files/document.ts';
import { recoveryStateSchema } from '../../../supervisor/files/state.ts';
import { isErrno } from '../../../system/durable-file.ts';
import { places } from '../../../system/installation.ts';

const lookEveryMs = 250;

/** How all recoveries stand, for everybody who waits for something: looked at by one, without a worker or a supervisor. */
export class Watch {
	/** What was seen to be done that nobody does but this service. */
	readonly work: Record<InnerServiceName, number> = {
		supervisor: 0,
		temporal: 0,
		'temporal-forwarder': 0,
		'temporal-door': 0,
		'control-worker': 0,
		'host-worker': 0,
	};
	readonly #workflows: RecoveryWorkflows;
	readonly #directory: string;
	readonly #summaries = new Map<string, RecoverySummary>();
	readonly #events = new Map<string, number>();
	/** Activities that are not done, by their ids. */
	readonly #pending = new Map<string, Map<string, string>>();
	readonly #marks = new Map<string, string>();

	constructor(temporal: TemporalClient, home: string) {
		this.#workflows = new RecoveryWorkflows(temporal);
		this.#directory = places.recoveries(home);
	}

	/** In all histories together. */
	get events(): number {
		return [...this.#events.values()].reduce((sum, events) => sum + events, 0);
	}

	/** As it was seen last; undefined before its workflow was seen. */
	seen(name: string): RecoverySummary | undefined {
		return this.#summaries.get(name);
	}

	/** Until the signal is aborted. */
	async look(names: readonly string[], signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			await Promise.all(names.flatMap(name => [this.#lookAtWorkflow(name), this.#lookAtHost(name)]));
			await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
		}
	}

	async #lookAtWorkflow(name: string): Promise<void> {
		const known = this.#summaries.get(name);
		if (known && hasEnded(known)) return;
		try {
			const description = await this.#workflows.call(name, () => this.#workflows.handle(name).describe());
			this.#summaries.set(name, summarise(description));
			const { historyLength, raw } = description;
			if (historyLength !== this.#events.get(name))
				for (const service of ['temporal', 'temporal-forwarder', 'temporal-door'] as const) this.work[service] += 1;
			this.#events.set(name, historyLength);
			const pending = (raw.pendingActivities ?? []).map(
				({ activityId, activityType }) => [activityId ?? '', activityType?.name ?? ''] as const,
			);
			this.#noteSteps(name, new Map(pending));
		} catch (error) {
			if (!['temporal_unreachable', 'recovery_unknown'].includes(asRouseError(error).code)) throw error;
		}
	}

	#noteSteps(name: string, now: Map<string, string>): void {
		const before = this.#pending.get(name) ?? new Map<string, string>();
		for (const id of now.keys()) if (!before.has(id)) this.work['control-worker'] += 1;
		for (const [id, step] of before)
			if (!now.has(id) && !['plan', 'pin', 'unpin'].includes(step)) this.work['host-worker'] += 1;
		this.#pending.set(name, now);
	}

	/** Its durable marks, and how much is restored. */
	async #lookAtHost(name: string): Promise<void> {
		const directory = join(this.#directory, name);
		const state = await readDocument(join(directory, 'state.json'), recoveryStateSchema);
		if (state === undefined) return;
		const { done, chain, sealed, power, switch: switching } = state;
		const marks = JSON.stringify([done, chain, sealed, power, switching.stage, await mapBytes(directory)]);
		if (this.#marks.get(name) !== marks) this.work.supervisor += 1;
		this.#marks.set(name, marks);
	}
}

/** A restored map is a journal: it grows with what is restored. */
async function mapBytes(directory: string): Promise<number> {
	let bytes = 0;
	try {
		for (const name of await readdir(directory))
			if (name.endsWith('.map')) bytes += (await stat(join(directory, name))).size;
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error; // it ends at this moment
	}
	return bytes;
}
