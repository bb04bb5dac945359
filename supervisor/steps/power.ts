import { RouseError } from '../../model/errors.ts';
import type { Power, PowerAction } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { observe } from '../observe.ts';
import { performSwitch } from '../perform-switch.ts';
import { served, startPatienceMs } from '../served.ts';
import { change } from '../state.ts';
import type { Nothing, StepContext } from '../step.ts';
import { isDone } from './first-steps.ts';

/** The durable "power-on was scheduled" first: from here on nothing but a discard removes what the guest writes. */
export async function powerOn(context: StepContext, { on }: { on: boolean }): Promise<Nothing> {
	const { recovery, host } = context;
	if (isDone(recovery, 'power-on')) return {};
	await recovery.change(change.powerOnScheduled(), ...(on ? [change.powerWanted('on', host.bootId)] : []));
	await host.reached('power-on-scheduled');
	if (on) await applyPower(context);
	await host.reached('powered-on');
	await recovery.change(change.done('power-on'));
	await recovery.equipment.migration.start();
	await observe(context);
	return {};
}

/** Carries out the wish for power that is in the state. */
export async function applyPower(context: StepContext): Promise<void> {
	const { recovery } = context;
	const { machine } = recovery.equipment;
	if (recovery.state.power.desired === 'on') {
		// One that is alive is reset, when its guest had powered itself off: that waits for reads like any other reset.
		const { alive } = await observe(context);
		const patienceMs = alive ? 2_000 : startPatienceMs;
		await served(context, () => machine.powerOn(recovery.state.chain), { patienceMs });
	} else {
		await machine.powerOff(); // ends it by force, and waits for no read
	}
	await recovery.change(change.powerSettled());
}

export async function power(context: StepContext, { action }: { action: PowerAction }): Promise<{ power: Power }> {
	const { recovery, host } = context;
	if (!recovery.state.powerOnScheduled)
		throw new RouseError('phase_wrong', `recovery ${recovery.name} was not powered on yet`);
	// Half-way through the switch the guest may stand still on purpose, and must not be let go by anything else. Taking
	// its power away is safe at every place: the marks say which chain is true.
	if (action !== 'off' && recovery.state.switch.stage === 'begun') await performSwitch(context);
	switch (action) {
		case 'on':
		case 'off':
			await recovery.change(change.powerWanted(action, host.bootId));
			await host.reached(`power-${action}-wanted`);
			await applyPower(context);
			break;
		case 'shutdown':
			await mustRun(context);
			await served(context, () => recovery.equipment.machine.shutdown(), { first: true, patienceMs: 1_000 });
			break;
		case 'reset':
			await mustRun(context);
			// A wish like the others: a guest that was reset while it stood still would not run by itself.
			await recovery.change(change.powerWanted('on', host.bootId));
			await served(context, () => recovery.equipment.machine.reset(), { first: true, patienceMs: 1_000 });
			await runAfterReset(context);
			await recovery.change(change.powerSettled());
			break;
	}
	return { power: (await observe(context)).power };
}

/** The reads that were failed for the reset had stopped the guest; the reset itself may take place later than it says. */
async function runAfterReset(context: StepContext): Promise<void> {
	const { recovery, signal } = context;
	const { machine, watch } = recovery.equipment;
	await waitFor(
		`the machine of ${recovery.name} to run after its reset`,
		async () => {
			const { power: now, ioError } = await observe(context);
			if (now === 'on') return true;
			// It stands at a chunk that is bad: that is another matter, and blocks the recovery. Not so while it is off: QEMU
			// tells of the read that failed before the reset until the guest runs again.
			if (ioError && now === 'paused' && (await watch.mount.keep())?.badChunks.length) return true;
			// Off is what a reset makes of a guest that stood still, whatever stopped it before.
			if (ioError && now === 'paused') await served(context, () => machine.resume(), { patienceMs: 2_000 });
			else await served(context, () => machine.powerOn(recovery.state.chain), { patienceMs: 2_000 });
			return false;
		},
		{ timeoutMs: 15_000, everyMs: 50, signal },
	);
}

async function mustRun(context: StepContext): Promise<void> {
	const { alive, power: now } = await observe(context);
	if (alive && now !== 'off') return;
	throw new RouseError('phase_wrong', `the machine of ${context.recovery.name} is off`, {
		details: { recovery: context.recovery.name, next: 'power-on' },
	});
}
