import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { asRouseError, type ErrorCode } from '../../model/errors.ts';
import { anew, type Bench, type ConformanceCase } from './bench.ts';
import { GuestModel } from './guest-model.ts';

/** Everything but the switch. */
export const lifecycleCases: readonly ConformanceCase[] = [
	{
		name: 'create starts nothing and may be called again',
		async run(bench) {
			await anew(bench, machine => machine.create());
			await anew(bench, machine => machine.create());
			assert.equal(await bench.instance(), undefined);
			assert.deepEqual(await anew(bench, machine => machine.observe()), {
				power: 'off',
				alive: false,
				ioError: undefined,
			});
		},
	},
	{
		name: 'a machine of another recovery in the same place is a conflict, and is left alone',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			const instance = await bench.instance();
			const other = bench.hypervisor.machine({ ...bench.definition, recoveryId: randomUUID() });
			const attempts = {
				create: () => other.create(),
				snapshot: () => other.snapshot(),
				powerOn: () => other.powerOn('mover'),
				powerOff: () => other.powerOff(),
				remove: () => other.remove(),
			};
			for (const [name, attempt] of Object.entries(attempts)) await refuses(name, 'identity_conflict', attempt);
			assert.equal(await bench.instance(), instance);
			await guest.checkInGuest();
		},
	},
	{
		name: 'no snapshot is taken of disks that cannot be read, and it is taken once they can',
		async run(bench) {
			await anew(bench, async machine => {
				await machine.create();
				const before = await bench.leftovers();
				await bench.mover.stop();
				await refuses('snapshot', 'mover_unreachable', () => machine.snapshot());
				assert.deepEqual(await bench.leftovers(), before);
				await bench.mover.start();
				await machine.snapshot();
				await machine.powerOn('mover');
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
					(await bench.target(disk)).every(byte => byte === 0),
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
			await anew(bench, machine => machine.powerOn('mover'));
			await guest.checkInGuest();
		},
	},
	{
		name: 'power on of a machine that runs does nothing',
		async run(bench) {
			const guest = await startedGuest(bench);
			await guest.write();
			const instance = await bench.instance();
			assert.notEqual(instance, undefined);
			await anew(bench, machine => machine.powerOn('mover'));
			assert.equal(await bench.instance(), instance);
			assert.deepEqual(await anew(bench, machine => machine.observe()), {
				power: 'on',
				alive: true,
				ioError: undefined,
			});
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
				assert.deepEqual(await anew(bench, machine => machine.observe()), {
					power: 'off',
					alive: false,
					ioError: undefined,
				});
				await anew(bench, machine => machine.powerOn('mover'));
				await guest.checkInGuest();
			}
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
				assert.notEqual(await bench.instance(), undefined, 'a machine that does not answer was ended');
				await machine.powerOff();
				assert.equal(await bench.instance(), undefined);
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
			const { power, alive } = await anew(bench, machine => machine.observe());
			assert.deepEqual({ power, alive }, { power: 'off', alive: true });
			await anew(bench, machine => machine.powerOn('mover'));
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
			const instance = await bench.instance();
			await anew(bench, async machine => {
				await machine.reset();
				await machine.shutdown();
				await machine.resume();
				assert.equal(await bench.instance(), instance);
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
			const targets = await Promise.all(bench.base.map((_base, disk) => bench.target(disk)));
			await anew(bench, machine => machine.remove());
			await bench.mover.stop();
			assert.deepEqual(await bench.leftovers(), []);
			for (const [disk, before] of targets.entries()) assert.ok(before.equals(await bench.target(disk)));
			await anew(bench, machine => machine.remove());
		},
	},
];

/** Created, with its snapshot, running from the mover. */
export async function startedGuest(bench: Bench): Promise<GuestModel> {
	await bench.mover.start();
	await anew(bench, async machine => {
		await machine.create();
		await machine.snapshot();
		await machine.powerOn('mover');
	});
	return new GuestModel(bench);
}

async function refuses(what: string, code: ErrorCode, act: () => Promise<unknown>): Promise<void> {
	await assert.rejects(act, (thrown: unknown) => {
		assert.equal(asRouseError(thrown).code, code, `${what}: ${String(thrown)}`);
		return true;
	});
}
