import assert from 'node:assert/strict';
import { asRouseError } from '../../model/errors.ts';
import { anew, type Bench, type ConformanceCase } from './bench.ts';
import type { GuestModel } from './guest-model.ts';
import { start, startedGuest } from './started-guest.ts';
import { restoreTargets } from './targets.ts';
import { SwitchRecord } from './switch-record.ts';

/**
 * The whole of the switch; `places` are the platform's own names of where it may die. Without any it dies at the marks,
 * which every platform has.
 */
export function switchCases(places: readonly string[] = markPlaces): ConformanceCase[] {
	return [
		{ name: 'a switch keeps the base and every write, and needs nothing of the movers afterwards', run: plainSwitch },
		{ name: 'a switch done again does nothing', run: repeatedSwitch },
		{ name: 'a guest that is off stays off through the switch', run: switchOfGuestThatIsOff },
		{ name: 'a machine that is off is switched offline', run: bench => offlineSwitch(bench) },
		{ name: 'after a boot of the host a machine with all blocks restored is switched', run: switchAfterReboot },
		{ name: 'after the hand-over nothing is left but the machine itself', run: handedOver },
		{ name: 'a guest stands still as long as nobody knows which mark is durable', run: unknownMark },
		{ name: '`openTargets` names the same targets in the switch, and touches nothing', run: targetsInSwitch },
		...places.flatMap(interruptedCases),
		...markPlaces.map(place => ({
			name: `an offline switch whose supervisor dies at ${place} is carried on`,
			run: (bench: Bench) => offlineSwitch(bench, place),
		})),
	];
}

const markPlaces = ['mark.local', 'mark.target'] as const;

function interruptedCases(place: string): ConformanceCase[] {
	return [
		{
			name: `a switch whose supervisor dies at ${place} is carried on`,
			run: bench => switchInterrupted(bench, place),
		},
		{
			name: `a switch that is aborted at ${place} leaves the guest running, and is carried on`,
			run: bench => switchAborted(bench, place),
		},
		{
			name: `a machine that dies at ${place} starts again with every write, and is switched`,
			run: bench => switchAndPowerLoss(bench, place, { startAgain: true }),
		},
		{
			name: `a machine that dies at ${place} and stays off is switched with every write`,
			run: bench => switchAndPowerLoss(bench, place, { startAgain: false }),
		},
	];
}

interface Readied {
	guest: GuestModel;
	record: SwitchRecord;
}

/** Runs from the mover, has written, and all blocks are restored. */
async function readied(bench: Bench): Promise<Readied> {
	const guest = await startedGuest(bench);
	for (let n = 0; n < 3; n++) assert.ok(await guest.write(), 'the guest does not run');
	await restoreTargets(bench);
	return { guest, record: new SwitchRecord(bench, guest) };
}

/** It needs nothing of Rouse's any more: the mover gone, the guest writes, and all is there when it is off. */
async function checkSwitched(bench: Bench, { guest, record }: Readied): Promise<void> {
	assert.equal(record.chain, 'target');
	assert.deepEqual(
		record.marks.filter((mark, at) => mark !== record.marks[at - 1]),
		['local', 'target'],
	);
	await bench.mover.stop();
	await anew(bench, machine => machine.powerOn('target'));
	assert.ok(await guest.write(), 'the guest does not run');
	await guest.checkInGuest();
	await anew(bench, machine => machine.powerOff());
	await guest.checkContent();
}

async function plainSwitch(bench: Bench): Promise<void> {
	const state = await readied(bench);
	const boot = await bench.boot();
	const { pauseMs } = await anew(bench, machine => machine.switchToTarget(state.record));
	assert.ok(pauseMs > 0, `the pause was not measured: ${pauseMs}`);
	assert.equal(await bench.boot(), boot, 'the guest was restarted');
	assert.equal((await anew(bench, machine => machine.observe())).power, 'on', 'the guest does not go on');
	await checkSwitched(bench, state);
}

async function repeatedSwitch(bench: Bench): Promise<void> {
	const state = await readied(bench);
	await anew(bench, machine => machine.switchToTarget(state.record));
	await state.guest.write();
	await anew(bench, machine => machine.switchToTarget(state.record));
	assert.equal((await anew(bench, machine => machine.observe())).power, 'on');
	await checkSwitched(bench, state);
}

async function switchOfGuestThatIsOff(bench: Bench): Promise<void> {
	const state = await readied(bench);
	await bench.guest.powersOff();
	const { pauseMs } = await anew(bench, machine => machine.switchToTarget(state.record));
	assert.equal(pauseMs, 0, 'a guest that does not run cannot be paused');
	assert.equal((await anew(bench, machine => machine.observe())).power, 'off', 'a guest that was off was started');
	await checkSwitched(bench, state);
}

async function offlineSwitch(bench: Bench, diesAt?: string): Promise<void> {
	const state = await readied(bench);
	await anew(bench, machine => machine.powerOff());
	if (diesAt !== undefined) await interruptAt(bench, state.record, diesAt);
	await anew(bench, machine => machine.switchToTarget(state.record));
	assert.equal((await anew(bench, machine => machine.observe())).power, 'off', 'a machine that was off was started');
	await checkSwitched(bench, state);
}

async function switchAfterReboot(bench: Bench): Promise<void> {
	const state = await readied(bench);
	await bench.fate.reboot();
	await anew(bench, machine => machine.switchToTarget(state.record));
	assert.equal((await anew(bench, machine => machine.observe())).power, 'off', 'a machine that was off was started');
	await checkSwitched(bench, state);
}

async function handedOver(bench: Bench): Promise<void> {
	const state = await readied(bench);
	await anew(bench, machine => machine.switchToTarget(state.record));
	await anew(bench, machine => machine.handOver());
	await anew(bench, machine => machine.handOver());
	await checkSwitched(bench, state);
	await anew(bench, machine => machine.remove());
	assert.deepEqual(await bench.leftovers(), []);
}

class SupervisorDied extends Error {}

/** An attempt that ends at `place`, as if the process had; what the machine object held is lost with it. */
async function interruptAt(bench: Bench, record: SwitchRecord, place: string): Promise<void> {
	record.at = async reached => {
		if (reached === place) throw new SupervisorDied(place);
	};
	const attempt = anew(bench, machine => machine.switchToTarget(record));
	await assert.rejects(attempt, SupervisorDied, `the switch never reached ${place}`);
	record.at = async () => {};
}

async function switchInterrupted(bench: Bench, place: string): Promise<void> {
	const state = await readied(bench);
	await interruptAt(bench, state.record, place);
	await state.guest.write();
	await anew(bench, machine => machine.switchToTarget(state.record));
	assert.equal((await anew(bench, machine => machine.observe())).power, 'on', 'the guest does not go on');
	await checkSwitched(bench, state);
}

/** The mark `target` may be on disk or not: a guest that runs now could write where nobody looks afterwards. */
async function unknownMark(bench: Bench): Promise<void> {
	const state = await readied(bench);
	const { guest, record } = state;
	await interruptAt(bench, record, 'mark.target');
	assert.equal(await guest.write(), false, 'the guest runs');
	assert.equal((await anew(bench, machine => machine.observe())).power, 'paused');
	await assert.rejects(
		anew(bench, machine => machine.powerOn(record.chain)),
		(thrown: unknown) => asRouseError(thrown).code === 'phase_wrong',
	);
	await anew(bench, machine => machine.switchToTarget(record));
	assert.ok(await guest.write(), 'the guest does not go on');
	await checkSwitched(bench, state);
}

/** A supervisor that died in the switch asks which restored maps are this machine's. */
async function targetsInSwitch(bench: Bench): Promise<void> {
	const state = await readied(bench);
	const identities = async () => (await anew(bench, machine => machine.openTargets())).map(({ identity }) => identity);
	const before = await identities();
	for (const place of markPlaces) {
		await interruptAt(bench, state.record, place);
		assert.deepEqual(await identities(), before, `after ${place}`);
	}
	await anew(bench, machine => machine.switchToTarget(state.record));
	await checkSwitched(bench, state);
}

async function switchAborted(bench: Bench, place: string): Promise<void> {
	const state = await readied(bench);
	const { guest, record } = state;
	const abort = new AbortController();
	const reason = new SupervisorDied(place);
	record.at = async reached => {
		if (reached === place) abort.abort(reason);
	};
	try {
		await anew(bench, machine => machine.switchToTarget(record, { signal: abort.signal }));
	} catch (thrown) {
		assert.equal(thrown, reason);
	}
	assert.ok(abort.signal.aborted, `the switch never reached ${place}`);
	assert.equal((await anew(bench, machine => machine.observe())).power, 'on', 'the guest does not go on');
	await guest.write();
	await anew(bench, machine => machine.switchToTarget(record));
	await checkSwitched(bench, state);
}

async function switchAndPowerLoss(bench: Bench, place: string, { startAgain }: { startAgain: boolean }): Promise<void> {
	const state = await readied(bench);
	const { guest, record } = state;
	let died = false;
	record.at = async reached => {
		if (reached !== place || died) return;
		died = true;
		await bench.fate.kill();
	};
	// The attempt notices, or had nothing left to ask of the machine.
	await anew(bench, machine => machine.switchToTarget(record)).catch(() => undefined);
	assert.ok(died, `the switch never reached ${place}`);
	if (startAgain) {
		await anew(bench, machine => start(machine, record.chain));
		await guest.checkInGuest();
		await guest.write();
	}
	await anew(bench, machine => machine.switchToTarget(record));
	await checkSwitched(bench, state);
}
