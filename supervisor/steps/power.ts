import { RouseError } from '../../model/errors.ts';
import type { Power, PowerAction } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { observe } from '../machine/observe.ts';
import { performSwitch } from '../switch/perform.ts';
import { applyPower, start } from '../machine/apply-power.ts';
import { change } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';
import { isDone } from './first-steps.ts';

/** The durable "power-on was scheduled" first: from here on nothing but a discard removes what the guest writes. */
export async function powerOn(context: StepContext, { on }: { on: boolean }): Promise<Nothing> {
	const { recovery, host } = context;
	if (isDone(recovery, 'power-on')) return {};
	const bootId = await host.platform.bootId();
	await recovery.change(change.powerOnScheduled(), ...(on ? [change.powerWanted('on', bootId)] : []));
	await host.reached('power-on-scheduled');
	if (on) await applyPower(context);
	await host.reached('powered-on');
	await recovery.change(change.done('power-on'));
	await recovery.equipment.migration.start();
	await observe(context);
	return {};
}

export async function power(context: StepContext, { action }: { action: PowerAction }): Promise<{ power: Power }> {
	const { recovery, host, signal } = context;
	if (!recovery.state.powerOnScheduled)
		throw new RouseError('phase_wrong', `recovery ${recovery.name} was not powered on yet`);
	// Half-way through the switch the guest may stand still on purpose, and must not be let go by anything else. Taking
	// its power away is safe at every place: the marks say which chain is true.
	if (action !== 'off' && recovery.state.switch.stage === 'begun') await performSwitch(context);
	const { machine } = recovery.equipment;
	const bootId = await host.platform.bootId();
	switch (action) {
		case 'on':
		case 'off':
			await recovery.change(change.powerWanted(action, bootId));
			await host.reached(`power-${action}-wanted`);
			await applyPower(context);
			break;
		case 'shutdown':
			await mustRun(context);
			await machine.shutdown({ signal });
			break;
		case 'reset':
			await mustRun(context);
			// A wish like the others: a guest that was reset while it stood still would not run by itself.
			await recovery.change(change.powerWanted('on', bootId));
			await machine.reset({ signal });
			await runAfterReset(context);
			await recovery.change(change.powerSettled());
			break;
	}
	return { power: (await observe(context)).power };
}

/** The reads that were failed for the reset had stopped the guest; the reset itself may take place later than it says. */
async function runAfterReset(context: StepContext): Promise<void> {
	const { recovery, host, signal } = context;
	const { machine, watch } = recovery.equipment;
	await waitFor(
		`the machine of ${recovery.name} to run after its reset`,
		async () => {
			const { power: now, ioError } = await observe(context);
			if (now === 'on') return true;
			// It stands at a chunk that is bad: that is another matter, and blocks the recovery. Not so while it is off: a
			// platform may tell of the read that failed before the reset until the guest runs again.
			if (ioError && now === 'paused' && (await watch.mount.keep())?.badChunks.length) return true;
			// Off is what a reset makes of a guest that stood still, whatever stopped it before.
			if (ioError && now === 'paused') await machine.resume({ signal });
			else await start(context);
			return false;
		},
		{ timeoutMs: 15_000, everyMs: 50, signal, clock: host.clock },
	);
}

async function mustRun(context: StepContext): Promise<void> {
	const { power: now } = await observe(context);
	if (now !== 'off') return;
	throw new RouseError('phase_wrong', `the machine of ${context.recovery.name} is off`, {
		details: { recovery: context.recovery.name, next: 'power-on' },
	});
}
