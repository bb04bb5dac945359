import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { SimulatedGuest } from '../../hypervisors/simulated/guest.ts';
import { reboot } from '../../hypervisors/simulated/fate.ts';
import { waitFor } from '../../system/wait.ts';
import { SimulatedInstallation } from '../equipment/simulated-installation.ts';

const sector = 512;

/** What a guest has written, and must find again, over what was stored. */
class Written {
	readonly expected: Buffer;
	#count = 0;

	constructor(stored: Buffer) {
		this.expected = Buffer.alloc(Math.ceil(stored.length / sector) * sector);
		stored.copy(this.expected);
	}

	async write(guest: SimulatedGuest): Promise<boolean> {
		const at = ((this.#count * 37) % (this.expected.length / sector - 8)) * sector;
		const bytes = Buffer.alloc(8 * sector, 1 + (this.#count % 255));
		if (!(await guest.write(0, at, bytes))) return false;
		this.#count += 1;
		bytes.copy(this.expected, at);
		return true;
	}

	async check(guest: SimulatedGuest): Promise<void> {
		assert.deepEqual(await guest.read(0, 0, this.expected.length), this.expected);
	}
}

for (const like of ['process', 'service'] as const)
	suite(`a supervisor over a simulated host like a ${like}`, { concurrency: 4 }, () => {
		test('recovers a machine under its writing guest, and hands it over', async t => {
			const host = await SimulatedInstallation.create(t, { like });
			const guest = await host.run();
			const written = new Written(host.stored.bytes);
			for (let n = 0; n < 20; n++) assert.ok(await written.write(guest));
			await written.check(guest);
			host.reached = async () => void (await written.write(guest));
			await host.restore();
			await host.step('switch-to-target', {});
			assert.equal((await host.view()).chain, 'target');
			assert.ok(await written.write(guest), 'the guest does not go on');
			await host.step('finalize', {});
			await written.check(guest);
			const machine = host.supervisor.finished(host.name);
			await machine.power('off');
			await machine.power('on');
			await written.check(guest);
			await host.supervisor.registry.removeFinished(machine);
			assert.deepEqual(await host.leftovers(), []);
		});

		test('discards a machine that runs, and leaves nothing', async t => {
			const host = await SimulatedInstallation.create(t, { like });
			await host.run();
			await host.step('discard', {});
			assert.deepEqual(await host.leftovers(), []);
		});

		for (const place of ['mark-local', 'mark-target'])
			test(`carries on a switch that failed at ${place}`, async t => {
				const host = await SimulatedInstallation.create(t, { like });
				const guest = await host.run();
				const written = new Written(host.stored.bytes);
				await written.write(guest);
				await host.restore();
				let left = 1;
				host.reached = async at => {
					if (at === place && left-- > 0) throw new Error('the disk of state.json does not answer');
					await written.write(guest);
				};
				await assert.rejects(host.step('switch-to-target', {}));
				await waitFor('the switch to be carried on', async () => (await host.view()).switchPauseMs !== null, {
					timeoutMs: 20_000,
				});
				assert.equal((await host.view()).chain, 'target');
				assert.ok(await written.write(guest), 'the guest does not go on');
				await written.check(guest);
			});

		test('that takes over a machine which was to be started first answers when it runs', async t => {
			const host = await SimulatedInstallation.create(t, { like });
			host.reached = async place => {
				if (place === 'power-on-scheduled') throw new Error('the supervisor dies');
			};
			await assert.rejects(host.run());
			await host.stop();
			await host.parts.movers.endAll();
			host.reached = async () => undefined;
			await host.start();
			assert.equal((await host.view()).power, 'on');
		});

		test('leaves a machine off after a boot of the host, and starts it on order with every flushed write', async t => {
			const host = await SimulatedInstallation.create(t, { like });
			const guest = await host.run();
			const written = new Written(host.stored.bytes);
			for (let n = 0; n < 5; n++) await written.write(guest);
			await host.stop();
			const pair = host.parts.movers.pair(host.recoveryId);
			await Promise.all([pair.mount.die(), pair.migration.die()]);
			await reboot(host.parts.host, [host.definition()]);
			await host.start();
			await waitFor('the machine to be left off', async () => (await host.view()).power === 'off', {
				timeoutMs: 20_000,
			});
			await waitFor('the mount mover', async () => pair.mount.program !== undefined, { timeoutMs: 20_000 });
			await host.step('power', { action: 'on' });
			await written.check(guest);
			await host.restore();
			await host.step('switch-to-target', {});
			await written.check(guest);
		});

		test('resets a guest whose read is held, and brings back a mover that dies under one', async t => {
			const host = await SimulatedInstallation.create(t, { like });
			const guest = await host.run();
			const pair = host.parts.movers.pair(host.recoveryId);
			pair.holdReads();
			const last = 1024 * 1024; // in a chunk that is not zero, and that no start reads
			const lost = guest.read(0, last, sector);
			await waitFor('the read to wait', () => (pair.mount.program?.state().waitingReads ?? 0) > 0, {
				timeoutMs: 20_000,
			});
			await host.step('power', { action: 'reset' });
			assert.equal(await lost, undefined);
			assert.equal((await host.view()).power, 'on');
			const read = guest.read(0, last, sector);
			await pair.mount.die();
			pair.release();
			assert.deepEqual(await read, host.stored.bytes.subarray(last, last + sector));
		});
	});
