import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { asRouseError, type ErrorCode } from '../../model/errors.ts';
import type { MachineObservation } from '../contract.ts';
import { anew, type ConformanceCase, gateOf } from './bench.ts';
import { start, startedGuest } from './started-guest.ts';
import { madeTargets, targetReads } from './targets.ts';

const isOff: MachineObservation = { power: 'off', byGuest: false, ioError: undefined, crash: undefined };

/** Everything but targets and the switch. */
export const lifecycleCases: readonly ConformanceCase[] = [
	{
		name: 'create starts nothing and may be called again',
		async run(bench) {
			await madeTargets(bench);
			await anew(bench, machine => machine.create());
			await anew(bench, machine => machine.create());
			assert.equal(await bench.boot(), undefined);
			assert.deepEqual(await anew(bench, machine => machine.observe()), isOff);
		},
	},
	{
		name: 'a machine of another recovery in the same place is a conflict, and is left alone',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			const boot = await bench.boot();
			const other = bench.platform.machine({ ...bench.definition, recoveryId: randomUUID() }, gateOf(bench));
			const attempts = {
				create: () => other.create(),
				snapshot: () => other.snapshot(),
				powerOn: () => other.powerOn('mover'),
				powerOff: () => other.powerOff(),
				remove: () => other.remove(),
			};
			for (const [name, attempt] of Object.entries(attempts)) await refuses(name, 'identity_conflict', attempt);
			assert.equal(await bench.boot(), boot);
			await guest.checkInGuest();
		},
	},
	{
		name: 'no snapshot is taken of disks that cannot be read, and it is taken once they can',
		async run(bench) {
			await anew(bench, async machine => {
				await machine.makeTargets();
				await machine.create();
				const before = await bench.leftovers();
				await bench.mover.stop();
				await refuses('snapshot', 'mover_unreachable', async () => {
					await machine.presentBase();
					await machine.snapshot();
				});
				assert.deepEqual(await bench.leftovers(), before);
				await bench.mover.start();
				await machine.presentBase();
				await machine.snapshot();
				await start(machine, 'mover');
			});
		},
	},
	{
		name: 'the guest reads the mover and writes beside the target',
		async run(bench) {
			const guest = await startedGuest(bench);
			assert.ok(await bench.guest.reads(0, guest.baseByte(0, 0)), 'the base is not read');
			assert.ok(await guest.write(), 'the guest does not run');
			await guest.checkInGuest();
			for (const disk of bench.base.keys())
				assert.ok(
					(await targetReads(bench, disk)).every(byte => byte === 0),
					'the target was written before the switch',
				);
		},
	},
	{
		name: 'a snapshot that is there is never touched again',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			await anew(bench, machine => machine.snapshot());
			await guest.checkInGuest();
			await anew(bench, machine => machine.powerOff());
			await anew(bench, machine => machine.create());
			await anew(bench, machine => machine.snapshot());
			await anew(bench, machine => start(machine, 'mover'));
			await guest.checkInGuest();
		},
	},
	{
		name: 'power on of a machine that runs does nothing',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			const boot = await bench.boot();
			assert.notEqual(boot, undefined);
			await anew(bench, machine => machine.powerOn('mover'));
			assert.equal(await bench.boot(), boot);
			assert.deepEqual(await anew(bench, machine => machine.observe()), { ...isOff, power: 'on' });
			await guest.checkInGuest();
		},
	},
	{
		name: 'flushed writes survive power off, power loss and power on',
		async run(bench) {
			const guest = await startedGuest(bench);
			for (const end of [() => anew(bench, machine => machine.powerOff()), () => bench.fate.kill()]) {
				await guest.write();
				await end();
				assert.deepEqual(await anew(bench, machine => machine.observe()), isOff);
				await anew(bench, machine => start(machine, 'mover'));
				await guest.checkInGuest();
			}
		},
	},
	{
		name: 'after a boot of the host the machine starts again with every flushed write',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			await bench.fate.reboot();
			assert.deepEqual(await anew(bench, machine => machine.observe()), isOff);
			await bench.mover.start();
			await anew(bench, async machine => {
				await machine.openTargets();
				await start(machine, 'mover');
			});
			await guest.checkInGuest();
		},
	},
	{
		name: 'power off may be called of what is off, and ends what hangs',
		async run(bench) {
			await anew(bench, machine => machine.powerOff());
			await startedGuest(bench);
			await bench.fate.freeze();
			await anew(bench, async machine => {
				await refuses('observe', 'hypervisor_stuck', () => machine.observe());
				assert.notEqual(await bench.boot(), undefined, 'a machine that does not answer was ended');
				await machine.powerOff();
				assert.equal(await bench.boot(), undefined);
				await machine.powerOff();
			});
		},
	},
	{
		name: 'a machine that did not answer for a while is observed again afterwards',
		async run(bench) {
			await startedGuest(bench);
			await anew(bench, async machine => {
				await machine.observe();
				await bench.fate.freeze();
				await refuses('observe', 'hypervisor_stuck', () => machine.observe());
				await bench.fate.thaw();
				assert.equal((await machine.observe()).power, 'on');
			});
		},
	},
	{
		name: 'a guest that powers itself off is off, keeps its disks, and can be powered on again',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			await bench.guest.powersOff();
			assert.deepEqual(await anew(bench, machine => machine.observe()), { ...isOff, byGuest: true });
			await anew(bench, machine => start(machine, 'mover'));
			assert.equal((await anew(bench, machine => machine.observe())).power, 'on');
			await guest.checkInGuest();
		},
	},
	{
		name: 'reset and shutdown are asked of the guest, not of the machine',
		async run(bench) {
			await anew(bench, machine => machine.shutdown()); // of a machine that is off: nothing to do
			const guest = await startedGuest(bench);
			await guest.write();
			await anew(bench, async machine => {
				await machine.reset();
				await machine.shutdown();
				await machine.resume();
				assert.equal((await machine.observe()).power, 'on');
			});
			await guest.checkInGuest();
		},
	},
	{
		name: 'remove leaves nothing but the targets, also of a machine that runs, and may be called again',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			await anew(bench, machine => machine.remove());
			await bench.mover.stop();
			assert.deepEqual(await bench.leftovers(), []);
			for (const disk of bench.base.keys())
				assert.ok(
					(await targetReads(bench, disk)).every(byte => byte === 0),
					`the target of disk${disk} is another`,
				);
			await anew(bench, machine => machine.remove());
		},
	},
];

async function refuses(what: string, code: ErrorCode, act: () => Promise<unknown>): Promise<void> {
	await assert.rejects(act, (thrown: unknown) => {
		assert.equal(asRouseError(thrown).code, code, `${what}: ${String(thrown)}`);
		return true;
	});
}
