import { RouseError } from '../../model/errors.ts';
import type { Power, PowerAction } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { observe } from '../machine/observe.ts';
import { performSwitch } from '../switch/perform.ts';
import { applyPower, start } from '../machine/apply-power.ts';
import { change } from '../files/state.ts';
import type { Recovery } from '../recovery/recovery.ts';
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

export async function power(
	context: StepContext,
	{ action, order }: { action: PowerAction; order?: number | undefined },
): Promise<{ power: Power }> {
	const { recovery } = context;
	if (!recovery.state.powerOnScheduled) throw neverOn(recovery);
	if (order !== undefined) {
		// One whose answer was lost: a guest that has been reset is not reset again.
		if (order === recovery.state.orders.done) return look(context);
		mustBeLatest(context, action, order);
		await recovery.change(change.orderBegun(order));
	}
	await carryOut(context, action);
	if (order !== undefined) await recovery.change(change.orderDone(order));
	return look(context);
}

/**
 * The same for a person at the host itself, with or without a workflow: what the workflow was told before, and comes later,
 * is taken back.
 */
export async function powerAtHost(
	context: StepContext,
	ordered: { action: PowerAction; order: number },
): Promise<{ power: Power }> {
	const { recovery } = context;
	// Until that step is done its workflow decides whether the machine is to run.
	if (!recovery.state.done.includes('power-on')) throw neverOn(recovery);
	return power(context, ordered);
}

/** The number of an order that is given at the host now: above that of every order which has begun. */
export function orderAtHost({ state }: Recovery, now: Date): number {
	const { begun } = state.orders;
	return isWrong(begun, now) ? now.getTime() : Math.max(begun + 1, now.getTime());
}

function neverOn({ name }: Recovery): RouseError {
	return new RouseError('phase_wrong', `recovery ${name} was not powered on yet`);
}

/** An order that is said to have been given so far in the future was given under a wrong clock. */
const clockIsWrongMs = 60 * 60_000;

/** It counts for nothing then: else no order would be taken until that time has come. */
function isWrong(order: number, now: Date): boolean {
	return order > now.getTime() + clockIsWrongMs;
}

function mustBeLatest({ recovery, host }: StepContext, action: PowerAction, order: number): void {
	const { begun } = recovery.state.orders;
	if (order >= begun || isWrong(begun, host.clock.date())) return;
	throw new RouseError(
		'generation_stale',
		`power ${action}: taken back by a later order, of ${new Date(begun).toISOString()}`,
		{ hint: 'give it again, when it is still wanted' },
	);
}

async function look(context: StepContext): Promise<{ power: Power }> {
	return { power: (await observe(context)).power };
}

async function carryOut(context: StepContext, action: PowerAction): Promise<void> {
	const { recovery, host, signal } = context;
	if (action === 'on' || action === 'reset') await getThroughSwitch(context);
	const { machine } = recovery.equipment;
	const bootId = await host.platform.bootId();
	switch (action) {
		case 'on':
		case 'off':
			await recovery.change(change.powerWanted(action, bootId));
			await host.reached(`power-${action}-wanted`);
			return applyPower(context);
		case 'shutdown':
			await mustRun(context);
			return machine.shutdown({ signal });
		case 'reset':
			await mustRun(context);
			// A wish like the others: a guest that was reset while it stood still would not run by itself.
			await recovery.change(change.powerWanted('on', bootId));
			await machine.reset({ signal });
			await runAfterReset(context);
			return recovery.change(change.powerSettled());
	}
}

/**
 * Half-way through the switch the guest may stand still on purpose, and must not be let go by anything else. To take its
 * power away is safe at every place, since the marks say which chain is true; so is to start one that is off before the
 * last mark: a switch that cannot be carried on (no space) must not keep it off.
 */
async function getThroughSwitch(context: StepContext): Promise<void> {
	const { recovery } = context;
	if (recovery.state.switch.stage !== 'begun') return;
	if (recovery.state.chain !== 'target' && (await observe(context)).power === 'off') return;
	await performSwitch(context);
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
