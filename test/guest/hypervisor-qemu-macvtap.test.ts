import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { handedOver } from '../../hypervisors/conformance/handed-over.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { isRoot } from '../../hypervisors/qemu/confinement.ts';
import { openingMacvtaps } from '../../hypervisors/qemu/macvtap-devices.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { kernelHasMacvtap } from '../../system/shareable-interfaces.ts';
import { removeTap, tapName, tapsOnHost } from '../../system/taps.ts';
import { waitFor } from '../../system/wait.ts';
import { makeQemuBench, type QemuBench } from '../equipment/qemu-bench.ts';
import { WiredHost } from '../equipment/wired-host.ts';

const run = promisify(execFile);
const mac = '52:54:00:00:00:01';

async function bench(t: TestContext, wired: WiredHost, own = {}): Promise<QemuBench & { taps: [string, string] }> {
	const nic = { mac, network: 'lan', target: wired.target };
	const nics = [nic, { ...nic, mac: '52:54:00:00:00:02' }];
	const made = await makeQemuBench({ disks: 1, definition: { nics }, ...own });
	const taps: [string, string] = [tapName(made.definition.recoveryId, 0), tapName(made.definition.recoveryId, 1)];
	t.after(async () => {
		for (const tap of taps) await removeTap(tap, made.definition.directory); // first: `doctor` finds those without a directory
		await made.dispose();
	});
	return { ...made, taps };
}

const of = (tap: string, what: string) => readFile(`/sys/class/net/${tap}/${what}`, 'utf8').then(text => text.trim());

/** What of /dev/tap… the machine has open, and as whom it runs. */
async function devicesOf({ definition }: QemuBench): Promise<{ devices: string[]; uid: number }> {
	const { pid } = (await lockHolder(machinePaths(definition).lock)) ?? assert.fail('it does not run');
	const links = await Promise.all((await readdir(`/proc/${pid}/fd`)).map(fd => readlink(`/proc/${pid}/fd/${fd}`)));
	return {
		devices: links.filter(link => link.startsWith('/dev/tap')).toSorted(),
		uid: (await stat(`/proc/${pid}`)).uid,
	};
}

if (isRoot() && (await kernelHasMacvtap()))
	suite('A machine behind macvtaps of the host', () => {
		test('has one with the address of each NIC as long as it is on, and of devices theirs alone', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			const { taps, definition } = made;
			const report = await made.platform.report();
			assert.ok(report.networks.some(({ name }) => name === wired.target));
			assert.equal(report.networksInstead?.[`bridge:${wired.port}`], `${wired.port} is no bridge: ${wired.target}`);
			await startedGuest(made);
			assert.deepEqual(await wired.ports(), [...taps, wired.port].toSorted());
			const own: string[] = [];
			for (const [index, tap] of taps.entries()) {
				assert.equal(await of(tap, 'address'), definition.nics[index]?.mac);
				assert.equal(await of(tap, 'ifalias'), definition.directory);
				own.push(`/dev/tap${await of(tap, 'ifindex')}`);
			}
			const { devices, uid } = await devicesOf(made);
			assert.deepEqual(devices, own.toSorted());
			assert.ok(uid >= 1_000);
			assert.deepEqual([(await stat(devices[0] ?? '')).uid, (await stat(devices[0] ?? '')).mode & 0o777], [0, 0o600]);
			await anew(made, machine => machine.powerOff());
			assert.deepEqual(await wired.ports(), [wired.port]);

			// What is left of it, with another address, is made anew.
			await run('ip', ['link', 'add', 'link', wired.port, 'name', taps[0], 'type', 'macvtap', 'mode', 'vepa']);
			await anew(made, machine => machine.powerOn('mover'));
			assert.equal(await of(taps[0], 'address'), mac);
			await run('ip', ['link', 'set', 'dev', taps[0], 'down']);
			await anew(made, machine => machine.powerOn('mover'));
			assert.equal(Number(await of(taps[0], 'flags')) & 1, 1);
			await anew(made, machine => machine.remove());
			assert.deepEqual(await wired.ports(), [wired.port]);
		});

		test('runs as root where machines have no users of their own', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired, { options: { machineUids: async () => 'none' } });
			await startedGuest(made);
			const { devices, uid } = await devicesOf(made);
			assert.deepEqual([devices.length, uid], [2, 0]);
		});

		test('leaves one of its name alone that another machine has open', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			await startedGuest(made);
			await run('ip', ['link', 'set', 'dev', made.taps[0], 'alias', '/another/machine']);
			await assert.rejects(
				anew(made, machine => machine.powerOn('mover')),
				{ code: 'identity_conflict', message: /in use by another machine: \/another\/machine/ },
			);
			await removeTap(made.taps[0], made.definition.directory);
			const found = (await tapsOnHost()).find(({ name }) => name === made.taps[0]);
			assert.deepEqual(found, { name: made.taps[0], used: true, directory: '/another/machine' });
		});

		test('is not given a device of /dev that has the number of its macvtap and is another one', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			await startedGuest(made);
			const lines = openingMacvtaps(made.definition).join('\n');
			const device = `/dev/tap${await of(made.taps[0], 'ifindex')}`;
			const opening = async (before: string) => {
				const script = `set -eu\n${before}\n${lines}\nreadlink /proc/self/fd/4`;
				return (await run('unshare', ['-m', 'sh', '-c', script])).stdout.trim();
			};
			assert.equal(await opening(':'), device);
			await assert.rejects(opening(`mount --bind /dev/null ${device}`), {
				code: 1,
				stderr: `${device} is not the device of ${made.taps[0]}\n`,
			});
		});

		test('is not started without its interface, nor with an address that another one on it has', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			const { config, nics } = made.definition;
			const plan = () => made.platform.chooseHardware({ config, nics, options: {} });
			await startedGuest(made);
			await anew(made, machine => machine.powerOff());
			const again = () => anew(made, machine => machine.powerOn('mover'));
			const other = `rto${wired.port.slice(3)}`;
			await run('ip', [
				'link',
				'add',
				'link',
				wired.port,
				'name',
				other,
				'address',
				mac,
				'type',
				'macvtap',
				'mode',
				'bridge',
			]);
			await plan();
			await run('ip', ['link', 'set', 'dev', other, 'up']);
			const taken = { code: 'precheck_failed', message: new RegExp(`${mac} is that of the interface ${other}`) };
			await assert.rejects(plan(), taken);
			await assert.rejects(again(), taken);
			await run('ip', ['link', 'delete', 'dev', wired.port]);
			await assert.rejects(again(), { code: 'machine_failed', message: new RegExp(`interface ${wired.port} is not`) });
			await assert.rejects(plan(), { code: 'config_invalid', message: new RegExp(`no network "${wired.target}"`) });
		});

		test('is planned and started where a machine that is off has left a macvtap with its address, and not where it is on', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			const { config, nics } = made.definition;
			const left = tapName(randomUUID(), 0);
			const add = [
				'link',
				'add',
				'link',
				wired.port,
				'name',
				left,
				'address',
				mac,
				'type',
				'macvtap',
				'mode',
				'bridge',
			];
			await run('ip', add);
			await run('ip', ['link', 'set', 'dev', left, 'up']);
			const on = await open(`/dev/tap${await of(left, 'ifindex')}`, 'r+');
			const plan = () => made.platform.chooseHardware({ config, nics, options: {} });
			const taken = { code: 'precheck_failed', message: new RegExp(left) };
			await assert.rejects(plan(), taken);
			await assert.rejects(startedGuest(made), taken);
			await on.close();
			await plan();
			await anew(made, machine => machine.powerOn('mover'));
			assert.deepEqual(await wired.ports(), [...made.taps, wired.port].toSorted());
		});

		test('tells by its plan that somebody behind the interface, with whom the host has talked, has its address', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			const { config, nics } = made.definition;
			const warnings = async () => (await made.platform.chooseHardware({ config, nics, options: {} })).warnings;
			assert.doesNotMatch((await warnings()).join(), /MAC address/);
			await wired.takeAddress(mac);
			await run('ip', ['address', 'add', '10.99.0.2/24', 'dev', wired.port]);
			await run('ip', ['neighbour', 'add', '10.99.0.1', 'lladdr', mac, 'nud', 'reachable', 'dev', wired.port]);
			assert.match(
				(await warnings()).join(),
				new RegExp(`${mac} is in use behind ${wired.port}, by 10.99.0.1.*--new-mac`),
			);
		});

		test('its start script makes them and removes them, also when it is ended by a signal', async t => {
			const wired = await WiredHost.up(t, 'macvtap');
			const made = await bench(t, wired);
			await handedOver(made);
			assert.deepEqual(await wired.ports(), [wired.port]);
			const child = spawn(machinePaths(made.definition).start, [], { stdio: 'inherit' });
			const ended = once(child, 'exit');
			await waitFor('the machine', () => made.userGuest.runs(), { timeoutMs: 15_000 });
			assert.deepEqual(await wired.ports(), [...made.taps, wired.port].toSorted());
			const { devices, uid } = await devicesOf(made);
			assert.ok(devices.length === 2 && uid >= 1_000);
			child.kill('SIGTERM');
			await ended;
			assert.deepEqual(await wired.ports(), [wired.port]);
		});
	});
