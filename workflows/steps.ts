/** The steps of a recovery. Each is done once, by whichever run of the workflow gets to it. */
import { whyUnaskable } from '../model/readiness.ts';
import type { RecoveryResult } from './contracts.ts';
import { staying } from './lease-state.ts';
import { everything, giveBack, withdraw } from './leases.ts';
import { failureOf } from './failures.ts';
import { carryOn } from './parking.ts';
import { pinOrSay, releasePin } from './pins.ts';
import { hostOrLeave } from './placement.ts';
import { poweredOn, untilReadinessIsSettled } from './readiness.ts';
import type { Run } from './run.ts';
import { migrateInSlices } from './slices.ts';
import { addIncidents } from './state.ts';
import { control } from './stubs.ts';

export async function plan(run: Run): Promise<void> {
	await run.once('plan', async () => {
		run.state.plan = await control.plan({ request: run.request });
	});
}

/** Asked of the host on which the recovery has got its place: another one would choose other devices. */
export async function chooseHardware(run: Run): Promise<void> {
	if (run.isDone('chooseHardware')) return;
	run.enter('starting');
	await run.once('chooseHardware', async input => {
		const hardware = await hostOrLeave(run).chooseHardware({ ...input, plan: run.plan });
		const unaskable = whyUnaskable(run.request, hardware);
		if (unaskable) throw failureOf(unaskable);
		run.state.plan = { ...run.plan, hardware };
	});
}

/** The restore point stays in the repository until `unpin`; where that cannot be said the recovery goes on all the same. */
export async function pin(run: Run): Promise<void> {
	run.state.mayBePinned = true;
	await run.once('pin', input => pinOrSay(run, input));
}

/** After an adoption of what was abandoned: its pin was given back, and its machine still reads from the point. */
export async function pinAgain(run: Run): Promise<void> {
	if (!run.isDone('pin')) await carryOn(run, () => pin(run));
}

export async function allocate(run: Run): Promise<void> {
	await run.once('allocate', input => hostOrLeave(run).allocate({ ...input, plan: run.plan }));
}

export async function createMachine(run: Run): Promise<void> {
	await run.once('createMachine', input => hostOrLeave(run).createMachine(input));
}

export async function startMovers(run: Run): Promise<void> {
	await run.once('startMovers', input => hostOrLeave(run).startMovers(input));
}

export async function snapshot(run: Run): Promise<void> {
	await run.once('snapshot', input => hostOrLeave(run).snapshot(input));
}

/** From the moment this is scheduled the guest may write, so nothing takes the recovery back any more but a discard. */
export async function powerOn(run: Run): Promise<void> {
	if (run.isDone('powerOn')) return;
	run.state.powerScheduled = true;
	const { powerOn: on } = run.request;
	await carryOn(run, () => run.once('powerOn', input => run.host.powerOn({ ...input, on })));
	run.state.power = on ? 'on' : 'off';
	run.state.timings.runningAt = new Date().toISOString();
	poweredOn(run);
	run.enter('running');
}

export async function untilMigrationIsWanted(run: Run): Promise<void> {
	const { state } = run;
	await carryOn(run, () => run.waitUntil(() => state.wanted.migrate || state.policy.finish === 'migrate'));
	state.wanted.migrate = true; // once begun it goes on, even when the policy is changed back
}

export async function migrateChunks(run: Run): Promise<void> {
	if (run.isDone('migrateChunks')) return;
	// Who asks a broker enters it with the stream.
	if (!run.asksBroker && run.state.phase !== 'migrating') run.enter('migrating');
	await carryOn(run, () => migrateInSlices(run));
	run.state.done.push('migrateChunks');
	run.state.mayCopy = false;
	await giveBack(run, ['migrate']);
	run.state.timings.migratedAt = new Date().toISOString();
	run.state.phase = 'migrated'; // published by whoever stays in it: each time costs two events
}

export async function untilSwitchIsWanted(run: Run): Promise<void> {
	const { state } = run;
	const isWanted = () => state.wanted.switch || state.policy.switch === 'auto';
	if (!isWanted()) run.publish();
	await carryOn(run, () => run.waitUntil(isWanted));
	state.wanted.switch = true;
}

export async function switchToTarget(run: Run): Promise<void> {
	if (run.isDone('switchToTarget')) return;
	run.enter('switching');
	await carryOn(run, () =>
		run.once('switchToTarget', async input => {
			const { pauseMs } = await run.host.switchToTarget(input);
			run.state.timings.switchPauseMs = pauseMs;
		}),
	);
}

/** The machine stands on its own: movers, pin and lease go, what happened stays readable. */
export async function finalize(run: Run): Promise<RecoveryResult> {
	await carryOn(run, () =>
		run.once('finalize', async input => {
			const { incidents, afterReport = null } = await run.host.finalize(input);
			addIncidents(run.state, incidents);
			run.state.leases.afterReport = afterReport;
		}),
	);
	await giveBack(run, everything, staying(run.state.leases));
	await carryOn(run, () => run.once('unpin', () => releasePin(run)));
	await untilReadinessIsSettled(run);
	return close(run, 'finished');
}

/** The host says so: a history that was put back does not know how it came to that. */
export async function finishAsOnHost(run: Run): Promise<RecoveryResult> {
	run.state.parked = run.state.blocked = run.state.wanted.discard = null;
	run.state.powerScheduled = true;
	run.state.failure = null;
	if (!run.isDone('switchToTarget')) run.state.done.push('switchToTarget');
	run.enter('switching');
	return finalize(run);
}

/** As a person has confirmed it, or a drill's at its end, wherever the host has got to: the machine, guest writes, all of it. */
export async function discard(run: Run): Promise<RecoveryResult> {
	if (run.state.phase !== 'discarding') {
		run.state.parked = run.state.blocked = null;
		run.enter('discarding');
	}
	await withdraw(run);
	const isBegun = run.state.place !== null; // of a pool no host may have been asked yet
	await carryOn(run, () =>
		run.once('discard', async input => {
			if (!isBegun) return;
			const { drill } = run.request;
			const { incidents, wasHere } = await run.host.discard({ ...input, ...(drill ? { drill } : {}) });
			addIncidents(run.state, incidents);
			if (wasHere) run.state.mayBePinned = true;
		}),
	);
	await giveBack(run, everything);
	if (run.state.mayBePinned) await carryOn(run, () => run.once('unpin', () => releasePin(run)));
	return close(run, 'discarded');
}

export function close(run: Run, phase: RecoveryResult['phase']): RecoveryResult {
	run.state.blocked = null;
	run.state.timings.finishedAt = new Date().toISOString();
	if (phase === 'discarded') run.state.power = 'off';
	run.enter(phase);
	return { phase, status: run.status(), incidents: run.state.incidents };
}
