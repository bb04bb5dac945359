import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { handedOver } from '../../hypervisors/conformance/handed-over.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { isRoot } from '../../hypervisors/qemu/confinement.ts';
import { networksOfHost } from '../../hypervisors/qemu/host-networks.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { removeTap, tapName } from '../../system/taps.ts';
import { waitFor } from '../../system/wait.ts';
import { makeQemuBench, type QemuBench } from '../equipment/qemu-bench.ts';
import { WiredHost } from '../equipment/wired-host.ts';

const run = promisify(execFile);

async function bench(t: TestContext, bridge: string): Promise<QemuBench & { tap: string }> {
	const nics = [{ mac: '52:54:00:00:00:01', network: 'lan', target: `bridge:${bridge}` }];
	const made = await makeQemuBench({ disks: 1, definition: { nics } });
	const tap = tapName(made.definition.recoveryId, 0);
	t.after(async () => {
		await removeTap(tap, made.definition.directory); // first: a tap whose machine's directory is gone is one that `doctor` finds
		await made.dispose();
	});
	return { ...made, tap };
}

const of = (tap: string, what: string) => readFile(`/sys/class/net/${tap}/${what}`, 'utf8').then(text => text.trim());
/** QEMU has it open. */
const carrier = (tap: string) =>
	waitFor('QEMU to open its tap', async () => (await of(tap, 'carrier')) === '1', { timeoutMs: 10_000 });

if (isRoot())
	suite('A machine on a bridge of the host', () => {
		test('has a tap there that its own user may open, as long as it is on; one on another bridge is put right', async t => {
			const wired = await WiredHost.up(t);
			const made = await bench(t, wired.bridge);
			const report = await made.platform.report();
			assert.ok(report.networks.some(({ name }) => name === `bridge:${wired.bridge}`));
			await startedGuest(made);
			await carrier(made.tap);
			assert.deepEqual(await wired.ports(), [made.tap, wired.port].toSorted());
			assert.equal(Number(await of(made.tap, 'owner')) >= 1_000, true);
			assert.equal(await of(made.tap, 'ifalias'), made.definition.directory);
			await anew(made, machine => machine.powerOff());
			assert.deepEqual(await wired.ports(), [wired.port]);

			const other = await WiredHost.bridgeAlone(t);
			await run('ip', ['tuntap', 'add', 'dev', made.tap, 'mode', 'tap', 'user', '1']);
			await run('ip', ['link', 'set', 'dev', made.tap, 'master', other]);
			await anew(made, machine => machine.powerOn('mover'));
			await carrier(made.tap);
			assert.deepEqual(await wired.ports(), [made.tap, wired.port].toSorted());
			await run('ip', ['link', 'set', 'dev', made.tap, 'nomaster']);
			await anew(made, machine => machine.powerOn('mover'));
			assert.deepEqual(await wired.ports(), [made.tap, wired.port].toSorted());
			await anew(made, machine => machine.remove());
			assert.deepEqual(await wired.ports(), [wired.port]);
		});

		test('leaves a tap of its name alone that another machine has open', async t => {
			const wired = await WiredHost.up(t);
			const made = await bench(t, wired.bridge);
			await startedGuest(made);
			await carrier(made.tap);
			await run('ip', ['link', 'set', 'dev', made.tap, 'alias', '/another/machine']);
			await assert.rejects(
				anew(made, machine => machine.powerOn('mover')),
				{ code: 'identity_conflict', message: /in use by another machine: \/another\/machine/ },
			);
			await removeTap(made.tap, made.definition.directory);
			assert.ok((await wired.ports()).includes(made.tap));
			await removeTap(made.tap, '/another/machine');
			assert.deepEqual(await wired.ports(), [wired.port]);
		});

		test('is not started while the bridge is not there, and when its name is that of no tap', async t => {
			const wired = await WiredHost.up(t);
			const made = await bench(t, wired.bridge);
			await startedGuest(made);
			await anew(made, machine => machine.powerOff());
			const again = () => anew(made, machine => machine.powerOn('mover'));
			await run('ip', ['link', 'add', 'dev', made.tap, 'type', 'bridge']);
			t.after(() => run('ip', ['link', 'delete', 'dev', made.tap]));
			await assert.rejects(again(), { code: 'identity_conflict', message: new RegExp(`${made.tap} .*no tap`) });
			await run('ip', ['link', 'delete', 'dev', wired.bridge]);
			await assert.rejects(again(), { code: 'machine_failed', message: new RegExp(`bridge ${wired.bridge} is not`) });
		});

		test('tells by its plan and before its start that somebody else on the bridge has its address, and starts', async t => {
			const wired = await WiredHost.up(t);
			const made = await bench(t, wired.bridge);
			const { config, nics } = made.definition;
			const warnings = async () => {
				const chosen = await made.platform.chooseHardware({ config, nics, options: {} });
				return chosen.warnings.filter(text => text.includes('MAC'));
			};
			assert.deepEqual(await warnings(), []);
			await wired.takeAddress(nics[0]?.mac ?? '');
			await wired.speak();
			const expected = new RegExp(`${nics[0]?.mac} is in use on the bridge ${wired.bridge}.*${wired.port}.*--new-mac`);
			await waitFor('the warning', async () => (await warnings()).length === 1, { timeoutMs: 10_000 });
			assert.match((await warnings()).join(), expected);
			await startedGuest(made);
			const [said = ''] = await anew(made, machine => machine.addressesInUse());
			assert.match(said, expected);
		});

		test('its start script makes the tap and removes it, also when it is ended by a signal', async t => {
			const wired = await WiredHost.up(t);
			const made = await bench(t, wired.bridge);
			await handedOver(made);
			assert.deepEqual(await wired.ports(), [wired.port]);
			const child = spawn(machinePaths(made.definition).start, [], { stdio: 'inherit' });
			const ended = once(child, 'exit');
			await waitFor('the machine', () => made.userGuest.runs(), { timeoutMs: 15_000 });
			await carrier(made.tap);
			assert.deepEqual(await wired.ports(), [made.tap, wired.port].toSorted());
			child.kill('SIGTERM');
			await ended;
			assert.deepEqual(await wired.ports(), [wired.port]);
			// Of the same name, and another machine's: a copy of the installation has it.
			await run('ip', ['tuntap', 'add', 'dev', made.tap, 'mode', 'tap']);
			await run('ip', ['link', 'set', 'dev', made.tap, 'master', wired.bridge, 'alias', '/another/machine']);
			await assert.rejects(run(machinePaths(made.definition).start), {
				code: 75,
				stderr: /of another.*\/another\/mach/,
			});
			await anew(made, machine => machine.powerOff());
			assert.deepEqual(await wired.ports(), [made.tap, wired.port].toSorted());
			await removeTap(made.tap, '/another/machine');
		});
	});
else
	test('without root no bridge is offered, and the host says why', async () => {
		const { offered, missing } = await networksOfHost();
		assert.deepEqual([offered.map(({ name }) => name), missing?.includes('root')], [['user'], true]);
	});
