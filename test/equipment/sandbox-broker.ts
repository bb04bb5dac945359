import * as z from 'zod';
import { type LeaseRequest, leaseRequestSchema, releaseSchema, requestIdOf } from '../../model/broker.ts';
import type { RefusalCode } from '../../workflows/broker/events.ts';
import type { SandboxRun } from './sandbox.ts';

const awaySchema = z.strictObject({ host: z.string(), seenBy: z.literal('recovery/web01-r1') });

/** The broker of a recovery that runs in the sandbox: it grants nothing by itself, and remembers all that it was told. */
export class SandboxBroker {
	readonly asked: LeaseRequest[] = [];
	readonly released: z.infer<typeof releaseSchema>[] = [];
	/** Hosts that it is told are away. */
	readonly away: string[] = [];
	/** False: no broker is there, and signals meet nobody. */
	there = true;
	#token = 0;

	/** Takes the messages that are on their way to it. */
	async hear(run: SandboxRun): Promise<void> {
		for (const sent of run.outside.sent) {
			if (sent.workflowId !== 'broker/site') continue;
			if (this.there && sent.signal === 'acquire') this.asked.push(leaseRequestSchema.parse(sent.message));
			if (this.there && sent.signal === 'release') this.released.push(releaseSchema.parse(sent.message));
			if (this.there && sent.signal === 'hostAway') this.away.push(awaySchema.parse(sent.message).host);
			await run.arrive(sent, this.there);
		}
	}

	/** Grants what was asked for last: the step that it is for. */
	async grant(run: SandboxRun, host?: string): Promise<string> {
		await this.hear(run);
		const request = this.last();
		this.#token += 1;
		const [first = null] = request.hosts;
		await run.signal('leaseGranted', { requestId: requestIdOf(request), host: host ?? first, token: this.#token });
		return request.step;
	}

	async refuse(run: SandboxRun, code: RefusalCode): Promise<void> {
		await this.hear(run);
		await run.signal('leaseRefused', { requestId: requestIdOf(this.last()), code });
	}

	last(): LeaseRequest {
		const last = this.asked.at(-1);
		if (!last) throw new Error('the broker was asked for nothing');
		return last;
	}

	/** Steps of what came back, in their order. */
	steps(): string[] {
		return this.released.map(({ requestId }) => requestId.slice(requestId.lastIndexOf('/') + 1));
	}
}
