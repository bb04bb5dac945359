import type { SwitchCalls } from '../../hypervisors/contract.ts';
import type { Chain } from '../../model/recovery.ts';

/** The supervisor's side of a switch, remembered over its attempts. */
export function rememberedSwitch(reached: SwitchCalls['reached'] = async () => undefined): SwitchCalls {
	let chain: Chain = 'mover';
	let resume: boolean | undefined;
	return {
		get chain() {
			return chain;
		},
		get resume() {
			return resume;
		},
		mark: async next => void (chain = next),
		rememberResume: async next => void (resume = next),
		stopMountMover: async () => undefined,
		reached,
	};
}
