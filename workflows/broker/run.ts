import { getExternalWorkflowHandle, log, proxyActivities, type SignalDefinition } from '@temporalio/workflow';
import type { Holder } from '../../model/broker.ts';
import {
	type BrokerActivities,
	type BrokerHostActivities,
	leaseGrantedSignal,
	leaseRefusedSignal,
	leaseRevokedSignal,
} from '../broker-contracts.ts';
import { heldLeasesOptions, livenessOptions } from '../activity-options.ts';
import { taskQueues } from '../contracts.ts';
import type { BrokerEffect, Happening } from './events.ts';
import { reduce } from './reduce.ts';
import type { BrokerState } from './state.ts';

const { heldLeases } = proxyActivities<BrokerActivities>(heldLeasesOptions);
const { closedHolders } = proxyActivities<BrokerActivities>(livenessOptions);

/** One run of a broker: the state first, then what is to be done because of it. */
export class BrokerRun {
	state: BrokerState;
	/** Something has happened since the last round. */
	dirty = true;
	#underWay = 0;

	constructor(state: BrokerState) {
		this.state = state;
	}

	/** Nothing is under way whose answer would be lost with this run. */
	get quiet(): boolean {
		return this.#underWay === 0;
	}

	happens(happening: Happening): void {
		const { state, effects } = reduce(this.state, { ...happening, atMs: Date.now() });
		this.state = state;
		this.dirty = happening.type !== 'tick';
		for (const effect of effects) this.#carryOut(effect);
	}

	/** A run that ends before there is an answer leaves the question to the next. */
	async rebuild(): Promise<void> {
		if (!this.state.rebuilding || this.state.rebuilding.listed) return;
		this.happens({ type: 'listed', held: await heldLeases({}) });
	}

	#carryOut(effect: BrokerEffect): void {
		switch (effect.type) {
			case 'grant': {
				const { holder, requestId, host, token } = effect;
				this.#tell(holder, leaseGrantedSignal, { requestId, host, token }, () =>
					this.happens({ type: 'undelivered', requestId, token }),
				);
				return;
			}
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
	#tell<Message>(
		{ workflowId }: Holder,
		signal: SignalDefinition<[Message]>,
		message: Message,
		onNobody = () => {},
	): void {
		this.#follow(getExternalWorkflowHandle(workflowId).signal(signal, message), onNobody);
	}

	#ask(whom: string, question: () => Promise<void>): void {
		this.#follow(question(), () => log.warn('no answer; asked again in the next sweep', { whom }));
	}

	#follow(work: Promise<void>, onFailure: () => void): void {
		this.#underWay += 1;
		void work.catch(onFailure).finally(() => {
			this.#underWay -= 1;
		});
	}
}
