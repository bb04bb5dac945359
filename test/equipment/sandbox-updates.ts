import type { coresdk } from '@temporalio/proto';
import { fromPayload } from './payloads.ts';

export interface UpdateOutcome {
	accepted: boolean;
	/** Undefined while it is accepted and not answered. */
	result?: unknown;
	failure?: { code: string | undefined; message: string };
}

/** What became of the Updates that a run in the sandbox was sent. */
export class SandboxUpdates {
	readonly #outcomes = new Map<string, UpdateOutcome>();

	take({ protocolInstanceId, ...response }: coresdk.workflow_commands.IUpdateResponse): void {
		const id = protocolInstanceId ?? '';
		const before = this.#outcomes.get(id) ?? { accepted: false };
		if (response.accepted) this.#outcomes.set(id, { ...before, accepted: true });
		if (response.completed) this.#outcomes.set(id, { accepted: true, result: fromPayload(response.completed) });
		if (response.rejected) {
			const { message, applicationFailureInfo } = response.rejected;
			const failure = { code: applicationFailureInfo?.type ?? undefined, message: message ?? '' };
			this.#outcomes.set(id, { ...before, failure });
		}
	}

	outcome(id: string): UpdateOutcome {
		const outcome = this.#outcomes.get(id);
		if (!outcome) throw new Error(`update ${id} was not answered at all`);
		return outcome;
	}
}
