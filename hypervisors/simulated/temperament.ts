import type { CallOptions, MoverGate, SwitchCalls } from '../contract.ts';
import type { Chain } from '../../model/recovery.ts';
import type { MachineParts } from './parts.ts';
import type { RunningDisk } from './run-state.ts';
import type { TargetFormat } from './target-formats.ts';

export interface Call {
	parts: MachineParts;
	gate: MoverGate;
	options: CallOptions;
}

export interface SwitchCall extends Call {
	calls: SwitchCalls;
}

/** The manner of a platform: what a simulated host does as QEMU does it, or as Hyper-V does. */
export interface Temperament {
	readonly targets: TargetFormat;
	/** A machine whose guest stands still, or resets itself, with reads in hand answers nobody until they were answered. */
	readonly readsHoldCalls: boolean;
	/** A machine whose guest has powered itself off stays, with its disks. */
	readonly staysWhenOff: boolean;
	/** Every place that `reached` is called with in a switch of a machine that runs, in order. */
	readonly switchPlaces: readonly string[];
	/** The base was probed. */
	presentBase(call: Call): Promise<void>;
	/** Nothing runs, and something will on this chain: makes its disks ready, and says how they are. */
	prepareStart(call: Call, chain: Chain): Promise<RunningDisk[]>;
	switchToTarget(call: SwitchCall): Promise<{ pauseMs: number }>;
	/** What is left to do of a machine that was switched. */
	settle(parts: MachineParts): Promise<void>;
}
