import {
	DeterminismViolationError,
	getExternalWorkflowHandle,
	log,
	proxyActivities,
	type SignalDefinition,
	sleep,
} from '@temporalio/workflow';
import { brokerLimits, type Holder } from '../../model/broker.ts';
import {
	type BrokerActivities,
	type BrokerHostActivities,
	leaseRefusedSignal,
	leaseRevokedSignal,
} from '../broker-contracts.ts';
import { deliverOptions, heldLeasesOptions, livenessOptions } from '../activity-options.ts';
import { taskQueues } from '../contracts.ts';
import type { BrokerEffect, Happening } from './events.ts';
import { reduce } from './reduce.ts';
import type { BrokerState } from './state.ts';

const { heldLeases } = proxyActivities<BrokerActivities>(heldLeasesOptions);
const { closedHolders } = proxyActivities<BrokerActivities>(livenessOptions);
const { deliverGrants } = proxyActivities<BrokerActivities>(deliverOptions);

/** After a failure that trying again does not mend. */
const askAgainMs = 30_000;

type GrantEffect = Extract<BrokerEffect, { type: 'grant' }>;

/** One run of a broker: the state first, then what is to be done because of it. */
export class BrokerRun {
	state: BrokerState;
	/** Something has happened since the last round. */
	dirty = true;
	#underWay = 0;

	constructor(state: BrokerState) {
		this.state = state;
	}

	/** Nothing is being told. A question may be lost with this run: it is asked again. */
	get quiet(): boolean {
		return this.#underWay === 0;
	}

	happens(happening: Happening): void {
		const { state, effects } = reduce(this.state, { ...happening, atMs: Date.now() });
		this.state = state;
		this.dirty = happening.type !== 'tick';
		const grants = effects.filter(effect => effect.type === 'grant');
		this.#deliver(grants);
		for (const effect of effects) if (effect.type !== 'grant') this.#carryOut(effect);
	}

	/** Until there is an answer, for nothing is granted before. A run that ends before leaves the question to the next. */
	async rebuild(): Promise<void> {
		while (this.state.rebuilding && !this.state.rebuilding.listed) {
			const held = await heldLeases({}).catch(unknownYet);
			if (held) this.happens({ type: 'listed', held });
			else await sleep(askAgainMs);
		}
	}

	/**
	 * By an activity, also a single one. A signal of the broker's own would be sent by a task of the server that needs the lock
	 * of the broker's workflow, behind all who have something to say to it: where they are many it was tried, in vain and ever
	 * more rarely, for minutes. What the activity sends needs the lock of the recovery alone.
	 */
	#deliver(grants: readonly GrantEffect[]): void {
		for (let from = 0; from < grants.length; from += brokerLimits.delivered) {
			const part = grants.slice(from, from + brokerLimits.delivered);
			const told = part.map(({ holder: { workflowId }, requestId, host, token }) => ({
				workflowId,
				requestId,
				host,
				token,
			}));
			const deliver = async () => {
				const { nobody, once } = await deliverGrants({ grants: told });
				for (const { requestId, token } of part)
					if (nobody.includes(requestId)) this.happens({ type: 'undelivered', requestId, token, once });
			};
			// Nothing that it can fail with says whom it has told: whoever has heard nothing asks again.
			this.#follow(deliver(), error => log.warn('grants were not delivered', { cause: String(error) }));
		}
	}

	#carryOut(effect: Exclude<BrokerEffect, GrantEffect>): void {
		switch (effect.type) {
			case 'refuse':
				this.#tell(effect.holder, leaseRefusedSignal, { requestId: effect.requestId, code: effect.code });
				return;
			case 'revoke': {
				const { holder, requestId, by, reason } = effect;
				this.#tell(holder, leaseRevokedSignal, { requestId, by, reason });
				return;
			}
			case 'ask-holders':
				this.#ask('holders', async () =>
					this.happens({ type: 'holders-closed', holders: await closedHolders({ holders: effect.holders }) }),
				);
				return;
			case 'ask-host': {
				const { host, hostId, requestIds } = effect;
				const taskQueue = taskQueues.host(hostId);
				const { leasesGone } = proxyActivities<BrokerHostActivities>({ ...livenessOptions, taskQueue });
				this.#ask(host, async () => {
					for (const requestId of await leasesGone({ hostId, requestIds })) {
						this.happens({ type: 'host-confirmed', host, requestId });
					}
				});
				return;
			}
			default:
				effect satisfies never;
		}
	}

	/** Fails only when nobody of that name is open. */
	#tell<Message>({ workflowId }: Holder, signal: SignalDefinition<[Message]>, message: Message): void {
		this.#follow(getExternalWorkflowHandle(workflowId).signal(signal, message), () => {});
	}

	#ask(whom: string, question: () => Promise<void>): void {
		void question().catch(() => log.warn('no answer; asked again in the next sweep', { whom }));
	}

	#follow(work: Promise<void>, onFailure: (error: unknown) => void): void {
		this.#underWay += 1;
		void work.catch(onFailure).finally(() => {
			this.#underWay -= 1;
		});
	}
}

function unknownYet(error: unknown): undefined {
	if (error instanceof DeterminismViolationError) throw error;
	log.warn('nobody tells what is held; it is asked again', { cause: String(error) });
}
