/** What the states of a virtual machine mean here. Their names are those of Microsoft.HyperV.PowerShell.VMState. */
import type { VmState } from './driver/requests.ts';

/**
 * `saved`: guest and devices are in a file, and go on from there when it is started. `standing`: the guest stands still in
 * memory, and `critical` when it does so because of its storage. `moving`: on its way from one to another.
 */
export type Stage = 'off' | 'saved' | 'standing' | 'critical' | 'running' | 'moving' | 'unknown';

const stages: Readonly<Record<VmState, Stage>> = {
	Off: 'off',
	OffCritical: 'off',
	Saved: 'saved',
	SavedCritical: 'saved',
	FastSaved: 'saved',
	FastSavedCritical: 'saved',
	Paused: 'standing',
	PausedCritical: 'critical',
	Running: 'running',
	// Its storage is away, and it was told not to pause for that.
	RunningCritical: 'running',
	Reset: 'running',
	ResetCritical: 'running',
	Starting: 'moving',
	StartingCritical: 'moving',
	Stopping: 'moving',
	StoppingCritical: 'moving',
	ForceShutdown: 'moving',
	Saving: 'moving',
	SavingCritical: 'moving',
	FastSaving: 'moving',
	FastSavingCritical: 'moving',
	Pausing: 'moving',
	PausingCritical: 'moving',
	Resuming: 'moving',
	ResumingCritical: 'moving',
	Other: 'unknown',
};

export function stageOf(state: VmState): Stage {
	return stages[state];
}
