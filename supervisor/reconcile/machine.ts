import type { MachineObservation } from '../../hypervisors/contract.ts';
import { asRouseError } from '../../model/errors.ts';
import { observe } from '../machine/observe.ts';
import { performSwitch } from '../switch/perform.ts';
import { change, moversWanted, type RecoveryState } from '../files/state.ts';
import type { StepContext } from '../recovery/step-context.ts';
import { applyPower, fallBack } from '../machine/apply-power.ts';
import { autostartOf } from '../recovery/autostart.ts';
import { keepBase } from './base.ts';
import { asksToStart, mayBeMovers, moverErrorLimit } from './blocked.ts';

/** Between two attempts at something that failed. */
const againAfterMs = 5_000;

export type MachineNeed =
	| 'nothing'
	/** A wish for power that nobody has carried out yet. */
	| 'apply-power'
	/** It ended by itself, and policy says to start it. */
	| 'restart'
	/** It crashed before its guest had written anything, and its platform knows a way that asks less of the host. */
	| 'fall-back'
	/** It was on when its host was started anew, and may be started again. */
	| 'start-after-boot'
	/** The same, and nobody has said yet that it may. */
	| 'ask'
	/** It is off and stays so: policy says never, or it was abandoned. */
	| 'leave-off'
	/** Its guest switched it on or off; that is its own affair. */
	| 'note-on'
	| 'note-off';

type AfterBoot = Extract<MachineNeed, 'start-after-boot' | 'ask' | 'leave-off'>;

/** What a machine needs, from what is wanted and what was seen. */
export function needOf(
	state: RecoveryState,
	seen: MachineObservation,
	bootId: string,
	afterBoot: AfterBoot = 'ask',
): MachineNeed {
	const { desired, settled } = state.power;
	if (state.abandoned && desired === 'on') {
		if (seen.power === 'crashed') return 'nothing';
		if (seen.power === 'off') return seen.byGuest ? 'note-off' : 'leave-off';
	}
	if (desired === 'off') {
		if (!settled) return 'apply-power';
		return seen.power === 'on' ? 'note-on' : 'nothing';
	}
	const sameBoot = state.power.bootId === bootId;
	if (!settled) return sameBoot ? 'apply-power' : afterBoot;
	if (seen.power === 'crashed') return seen.crash?.fallBack === undefined ? 'nothing' : 'fall-back';
	if (seen.power !== 'off') return 'nothing';
	if (seen.byGuest) return 'note-off';
	if (!sameBoot) return afterBoot;
	return state.restart === 'on-crash' ? 'restart' : 'leave-off';
}

export async function keepMachine(context: StepContext): Promise<void> {
	const { recovery } = context;
	if (!recovery.state.powerOnScheduled) return;
	if (recovery.state.switch.stage === 'begun') return carryOnSwitch(context);
	return keepAsWanted(context, await observe(context));
}

async function keepAsWanted(context: StepContext, seen: MachineObservation): Promise<void> {
	const { recovery, host } = context;
	const bootId = await host.platform.bootId();
	const need = needOf(recovery.state, seen, bootId, await afterBootOf(context, bootId));
	const asked = recovery.seen.asksToStart;
	recovery.seen.asksToStart = need === 'ask';
	switch (need) {
		case 'start-after-boot':
			return attempt(context, () => startAfterBoot(context, bootId));
		case 'ask':
			if (!asked) await recovery.incidents.add('machine_stopped', asksToStart);
			return;
		case 'nothing':
			return keepRunning(context, seen);
		case 'apply-power':
			return attempt(context, () => applyAndLook(context));
		case 'restart':
			return attempt(context, () => restart(context, bootId));
		case 'fall-back':
			return attempt(context, () => beginAgain(context, seen));
		case 'leave-off':
			await recovery.incidents.add('machine_stopped', whyLeftOff(recovery.state, bootId));
			return recovery.change(change.powerFound('off'));
		case 'note-on':
			return recovery.change(change.powerFound('on'));
		case 'note-off':
			return recovery.change(change.powerFound('off'));
	}
}

/** So that no guest stays paused because a supervisor died, or a step failed, between two marks. */
async function carryOnSwitch(context: StepContext): Promise<void> {
	const { recovery, host } = context;
	const { seen } = recovery;
	if (host.clock.now() < seen.notBefore.switch) {
		await keepBase(context);
		return;
	}
	try {
		await performSwitch(context);
		seen.switchFailure = undefined;
	} catch (error) {
		context.signal.throwIfAborted();
		seen.switchFailure = asRouseError(error);
		seen.notBefore.switch = host.clock.now() + againAfterMs;
		await recovery.incidents.add('switch_failed', seen.switchFailure.message);
		await keepOffOrStart(context);
	}
}

/**
 * A switch that cannot be carried on (no space) must not keep a machine off: before its last mark one that is off may be
 * started. One that is not may stand still on purpose, and is left to the switch.
 */
async function keepOffOrStart(context: StepContext): Promise<void> {
	const { state } = context.recovery;
	const seen = await observe(context);
	const cutOff = state.power.desired === 'off' && !state.power.settled;
	if (cutOff || (seen.power === 'off' && state.chain !== 'target')) await keepAsWanted(context, seen);
}

async function afterBootOf({ recovery, host }: StepContext, bootId: string): Promise<AfterBoot> {
	if (recovery.state.power.bootId === bootId) return 'leave-off';
	const autostart = await autostartOf(host);
	if (autostart === 'never') return 'leave-off';
	return autostart === 'always' || recovery.seen.open ? 'start-after-boot' : 'ask';
}

async function startAfterBoot(context: StepContext, bootId: string): Promise<void> {
	const { recovery } = context;
	await recovery.incidents.add('machine_started', 'the host was started anew, and then the machine, which had been on');
	await recovery.change(change.powerWanted('on', bootId));
	await applyPower(context);
	await observe(context);
}

/** Else it would be told for half a second as it was before. */
async function applyAndLook(context: StepContext): Promise<void> {
	await applyPower(context);
	await observe(context);
}

const diskWords = { mover: 'the repository', local: 'its local disks', target: 'its own disks alone' } as const;

async function restart(context: StepContext, bootId: string): Promise<void> {
	const { recovery, host } = context;
	await recovery.incidents.add(
		'machine_died',
		`the machine had died and was started again (on ${diskWords[recovery.state.chain]}): to its guest that was a power cut`,
	);
	// The wish first: a supervisor that dies before the guest runs must not leave a machine that looks powered off.
	await recovery.change(change.powerWanted('on', bootId));
	await applyPower(context);
	recovery.seen.notBefore.machine = host.clock.now() + againAfterMs; // one that dies at once is not started all the time
	await observe(context);
}

async function beginAgain(context: StepContext, { crash }: MachineObservation): Promise<void> {
	if (crash?.fallBack === undefined) return;
	await fallBack(context, `it crashed (${crash.reason})`, crash.fallBack);
	await observe(context);
}

async function attempt({ recovery, host, signal }: StepContext, work: () => Promise<void>): Promise<void> {
	const { seen } = recovery;
	if (host.clock.now() < seen.notBefore.machine) return;
	try {
		await work();
		seen.machineFailure = undefined;
	} catch (error) {
		signal.throwIfAborted();
		seen.machineFailure = asRouseError(error);
		seen.notBefore.machine = host.clock.now() + againAfterMs;
	}
}

/** A guest that stands still while what it stands on is away would stand still again. */
async function keepRunning(context: StepContext, seen: MachineObservation): Promise<void> {
	const runs = seen.power === 'on' || seen.power === 'paused';
	if (!runs || (await keepBase(context))) await keepGoing(context, seen);
}

/**
 * A guest that stands still at what may be the mover's, with no bad chunk to blame: reads were failed to free the
 * monitors. It goes on, and they are asked for again. When that happens time and again it is the host's own disk, and a person's affair.
 */
async function keepGoing(context: StepContext, { ioError }: MachineObservation): Promise<void> {
	const { recovery, host, signal } = context;
	const { seen } = recovery;
	const now = host.clock.now();
	seen.moverErrors = seen.moverErrors.filter(at => now - at < moverErrorLimit.withinMs);
	if (ioError === undefined || !mayBeMovers(recovery.state, ioError)) return;
	// Asked again, now that the guest stands: the bad chunk it stands at may have been found after the last look.
	if (moversWanted(recovery.state).mount) seen.mount = await recovery.equipment.watch.mount.keep();
	if ((seen.mount?.badChunks.length ?? 0) > 0) return;
	if (seen.moverErrors.length >= moverErrorLimit.count) {
		seen.moverErrors.push(now); // still so: only a retry forgets it
		return;
	}
	seen.moverErrors.push(now);
	if (seen.mount?.failing) await recovery.equipment.mount.control.serve();
	await recovery.equipment.machine.resume({ signal });
	await observe(context);
}

function whyLeftOff(state: RecoveryState, bootId: string): string {
	if (state.abandoned) return 'its workflow has given this host up: the machine stays off';
	if (state.power.bootId !== bootId)
		return 'the host was started anew; policy says that the machine stays off (autostart: never)';
	return 'the machine had died; policy says not to start it again';
}
