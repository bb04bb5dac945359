import { RouseError } from '../../model/errors.ts';
import type { SwitchCalls } from '../../hypervisors/contract.ts';
import type { Chain } from '../../model/recovery.ts';
import { change } from '../files/state.ts';
import type { StepContext } from '../recovery/step-context.ts';

export function switchCalls(context: StepContext): SwitchCalls {
	const { recovery, host } = context;
	return {
		get chain() {
			return recovery.state.chain;
		},
		get resume() {
			return recovery.state.switch.resume ?? undefined;
		},
		async mark(chain: Chain) {
			await recovery.change(change.chain(chain));
			await host.reached(`mark-${chain}`);
		},
		async rememberResume(resume: boolean) {
			await recovery.change(change.resume(resume));
			await host.reached('resume-remembered');
		},
		async stopMountMover() {
			if (recovery.state.chain === 'mover')
				throw new RouseError('internal', 'the mount mover serves the machine until the mark says otherwise');
			if (!(await recovery.equipment.mount.end()))
				throw new RouseError('hypervisor_stuck', `recovery ${recovery.name}: the mount mover cannot be killed`);
			await host.reached('mount-mover-stopped');
		},
		reached: place => host.reached(place),
	};
}
