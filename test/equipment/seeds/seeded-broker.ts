import assert from 'node:assert/strict';
import { type LeaseRequest, leaseRequestSchema, releaseSchema, requestIdOf } from '../../../model/broker.ts';
import type { RecoveryRequest } from '../../../model/recovery.ts';
import { kindOf } from '../../../workflows/lease-state.ts';
import type { SandboxRun } from '../sandbox.ts';
import type { Random } from './random.ts';

/**
 * A broker with room for everybody, whose answers come late, twice, or not before the request was made again. Now and then it is
 * full.
 */
export class SeededBroker {
	readonly #random: Random;
	readonly #waiting = new Map<string, LeaseRequest>();
	readonly #held = new Map<string, LeaseRequest>();
	readonly #ended = new Set<string>();
	#token = 0;

	constructor(random: Random) {
		this.#random = random;
	}

	/** Hears what the run has told it, and answers some of it. */
	async look(run: SandboxRun): Promise<void> {
		for (const sent of run.outside.sent) {
			if (sent.signal === 'acquire') this.#acquire(leaseRequestSchema.parse(sent.message));
			if (sent.signal === 'release') this.#release(releaseSchema.parse(sent.message).requestId);
			await run.arrive(sent);
			if (run.closed !== undefined) return;
		}
		for (const answer of this.#answers()) {
			await run.signal(...answer);
			if (run.closed !== undefined) return;
		}
	}

	#acquire(request: LeaseRequest): void {
		this.#waiting.set(requestIdOf(request), request);
	}

	#release(requestId: string): void {
		this.#waiting.delete(requestId);
		this.#held.delete(requestId);
		this.#ended.add(requestId);
	}

	#answers(): [name: string, message: object][] {
		const answers: [string, object][] = [];
		for (const [requestId, request] of this.#waiting) {
			if (this.#random.chance(0.5)) continue;
			this.#waiting.delete(requestId);
			if (this.#ended.has(requestId)) answers.push(['leaseRefused', { requestId, code: 'lease_ended' }]);
			else if (!this.#held.has(requestId) && this.#random.chance(0.1))
				answers.push(['leaseRefused', { requestId, code: 'broker_full' }]);
			else answers.push(this.#grant(requestId, request));
		}
		for (const [requestId, request] of this.#held)
			if (this.#random.chance(0.02)) answers.push(this.#grant(requestId, request));
		return answers;
	}

	#grant(requestId: string, request: LeaseRequest): [string, object] {
		this.#held.set(requestId, request);
		this.#token += 1;
		return ['leaseGranted', { requestId, host: request.hosts[0], token: this.#token }];
	}

	/** Nobody copies without a stream, whatever its workflow believes, and nobody holds two. */
	check(run: SandboxRun, copiesOnHost: boolean): void {
		const kinds = [...this.#held.values()].map(kindOf).toSorted();
		assert.equal(new Set(kinds).size, kinds.length, `it holds ${kinds.join()}`);
		const copies = copiesOnHost || run.open.some(({ type }) => type === 'migrateChunks');
		assert.ok(!copies || kinds.includes('migrate'), 'it copies without a stream');
	}

	/** All of it went back. */
	checkEnd(): void {
		assert.deepEqual([...this.#held.keys(), ...this.#waiting.keys()], [], 'what it has of the broker is left');
	}
}

/** The input of a recovery that asks a broker, if it does: then it copies for some ticks. */
export function asks({ request }: { request: RecoveryRequest }, { broker = false }: { broker?: boolean }) {
	const { policy } = request;
	return broker ? { request: { ...request, policy: { ...policy, maxRateBytes: 80 * 1024 } }, broker } : { request };
}
