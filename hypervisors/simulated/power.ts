import { randomUUID } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import type { Chain } from '../../model/recovery.ts';
import { onceAnswered } from './base.ts';
import { answering, Instance } from './instance.ts';
import type { Call, MachineParts } from './parts.ts';
import type { RunningDisk, RunState } from './run-state.ts';

/** See `Machine.powerOn`. */
export async function powerOn(call: Call, chain: Chain): Promise<void> {
	const { parts } = call;
	const run = answering(parts, parts.running.read());
	if (run === undefined || (run.guest === 'off' && !parts.settings.manner.staysWhenOff)) return launch(call, chain);
	if (run.guest === 'running' || run.guest === 'io-error') return;
	await startAnew(call, run, { patienceMs: 2_000 });
}

/** See `Machine.reset`. */
export async function reset(call: Call): Promise<void> {
	const { parts } = call;
	const run = answering(parts, parts.running.read());
	if (run !== undefined && run.guest !== 'off') await startAnew(call, run, { first: true, patienceMs: 1_000 });
}

/** See `Machine.resume`. */
export async function resume(call: Call): Promise<void> {
	const { parts, options } = call;
	const run = answering(parts, parts.running.read());
	if (run?.guest !== 'io-error') return;
	const instance = new Instance(parts, run);
	await heldByReads(
		call,
		() =>
			instance.alone((now, save) => {
				if (now.guest !== 'io-error') return;
				refuseInSwitch(now);
				save({ ...now, guest: 'running', ioError: null });
			}),
		{ ...options, patienceMs: 2_000 },
	);
}

/** The machine loses its power: afterwards nothing of it runs. By force, so that it waits for nothing. */
export function cutPower({ running, memory }: MachineParts): void {
	running.alone((_run, save) => save(undefined));
	memory.dropReads();
}

async function launch(call: Call, chain: Chain): Promise<void> {
	const { parts } = call;
	const disks = await parts.settings.manner.prepareStart(call, chain);
	parts.running.makePlace();
	parts.running.alone((run, save) => {
		if (run && run.guest !== 'off') return; // somebody was faster
		for (const { unflushed } of parts.stacks) unflushed.reset();
		save(newRun(parts, disks));
	});
}

function newRun({ definition: { recoveryId } }: MachineParts, disks: RunningDisk[]): RunState {
	return { recoveryId, instance: randomUUID(), frozen: false, disks, ...freshGuest() };
}

/** The guest of the same machine boots; requests of the one before are lost. */
async function startAnew(call: Call, run: RunState, how: { first?: boolean; patienceMs: number }): Promise<void> {
	const { parts, options } = call;
	refuseInSwitch(run);
	const instance = new Instance(parts, run);
	const start = () => {
		instance.alone((now, save) => {
			refuseInSwitch(now);
			save({ ...now, ...freshGuest() });
		});
		parts.memory.dropReads();
	};
	await heldByReads(call, start, { ...options, ...how });
}

/** What a guest's boot begins with. */
export function freshGuest(): Pick<RunState, 'boot' | 'guest' | 'shutdownAsked' | 'ioError' | 'crash'> {
	return { boot: randomUUID(), guest: 'running', shutdownAsked: false, ioError: null, crash: null };
}

/** Where the platform holds its calls up for reads, once those were answered. */
async function heldByReads(
	{ parts, gate }: Call,
	work: () => void,
	options: Parameters<typeof onceAnswered>[3],
): Promise<void> {
	if (parts.settings.manner.readsHoldCalls) await onceAnswered(parts, gate, work, options);
	else work();
}

/** In the pause of a switch only the switch lets the guest go on: what it writes now could be lost. */
function refuseInSwitch({ guest, disks }: RunState): void {
	if (guest === 'paused' || disks.some(({ commit }) => commit?.halfway))
		throw new RouseError('phase_wrong', 'the switch is in its pause: it must be carried on before the guest may run');
}
