import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { chooseDevices } from '../../hypervisors/qemu/choose-hardware.ts';
import { userNetdev } from '../../hypervisors/qemu/user-network.ts';
import { waitFor } from '../../system/wait.ts';
import { benchConfig, makeQemuBench } from '../equipment/qemu-bench.ts';
import { WireGuest } from '../equipment/wire-guest.ts';
import { freePort } from '../../system/free-port.ts';

/** As SLIRP calls the host's own loopback. */
const hostAsGuestsSeeIt = '10.0.2.2';

/** Listens for TCP, and says how often somebody came. */
async function listening(t: TestContext, host: string): Promise<{ port: number; visits: () => number }> {
	let visits = 0;
	const server = createServer(socket => {
		visits++;
		socket.destroy();
	}).listen(0, host);
	t.after(() => server.close());
	await once(server, 'listening');
	return { port: (server.address() as AddressInfo).port, visits: () => visits };
}

async function datagrams(t: TestContext): Promise<{ port: number; count: () => number }> {
	let count = 0;
	const socket = createSocket('udp4', () => count++).bind(0, '127.0.0.1');
	t.after(() => socket.close());
	await once(socket, 'listening');
	return { port: socket.address().port, count: () => count };
}

/** Of this host beyond its loopback, when it has one. */
function outerAddress(): string | undefined {
	return Object.values(networkInterfaces())
		.flat()
		.find(found => found?.family === 'IPv4' && !found.internal)?.address;
}

suite('The network `user`', () => {
	for (const restricted of [true, false])
		test(`${restricted ? 'keeps a guest from' : 'unrestricted would give a guest'} the host; forwards lead to it`, async t => {
			const forwarded = await freePort();
			const ours = userNetdev('net0', [{ address: '127.0.0.1', port: forwarded, guestPort: 22 }]);
			const guest = await WireGuest.on(t, restricted ? ours : ours.replace('restrict=on', 'restrict=off'));
			const inner = await listening(t, '127.0.0.1');
			const address = outerAddress();
			const outer = address === undefined ? undefined : await listening(t, address);
			const udp = await datagrams(t);
			guest.datagram(hostAsGuestsSeeIt, udp.port);
			guest.connect(hostAsGuestsSeeIt, inner.port);
			if (outer) guest.connect(address ?? '', outer.port);
			// Later than all that: what was to come of it has come before.
			const caller = connect(forwarded, '127.0.0.1');
			t.after(() => caller.destroy());
			const called = () => guest.segments.some(({ syn, ack, port }) => syn && !ack && port === 22);
			await waitFor('the forwarded connection', called, { timeoutMs: 20_000 });
			const answers = () => guest.segments.filter(({ syn, ack }) => syn && ack).length;
			const reached = () => [answers(), inner.visits(), outer?.visits() ?? 0, udp.count()];
			const expected = restricted ? [0, 0, 0, 0] : [outer ? 2 : 1, 1, outer ? 1 : 0, 1];
			if (!restricted)
				await waitFor('the host to answer', () => reached().join() === expected.join(), { timeoutMs: 20_000 });
			assert.deepEqual(reached(), expected);
		});

	test('a machine is started with its forwards on the first NIC, and is refused when the port is taken', async t => {
		const port = await freePort();
		const forwards = [{ address: '127.0.0.1', port, guestPort: 22 }];
		const nics = ['none', 'user', 'user'].map((target, index) => ({
			mac: `52:54:00:00:00:0${index}`,
			network: 'lan',
			target,
		}));
		const config = benchConfig(1);
		const hardware = chooseDevices({ config, nics, forwards, options: {} }, {}).data;
		const made = await makeQemuBench({ disks: 1, definition: { nics, hardware } });
		t.after(() => made.dispose());
		const ask = () => made.platform.chooseHardware({ config, nics, forwards, options: {} });
		assert.deepEqual((await ask()).data['forwards'], forwards);
		await startedGuest(made);
		const said = await made.userGuest.execute('human-monitor-command', { 'command-line': 'info usernet' });
		assert.match(
			String(said),
			new RegExp(`net1-user.*HOST_FORWARD\\]? +\\d+ +127\\.0\\.0\\.1 +${port} +10\\.0\\.2\\.15 +22`, 's'),
		);
		await assert.rejects(ask(), {
			code: 'precheck_failed',
			message: new RegExp(`127.0.0.1:${port} cannot be forwarded`),
		});
		await anew(made, machine => machine.powerOff());
		const taken = createServer().listen(port, '127.0.0.1');
		t.after(() => taken.close());
		await once(taken, 'listening');
		await assert.rejects(
			anew(made, machine => machine.powerOn('mover')),
			{ code: 'machine_failed', message: /a port of the host that is to lead to the guest is taken/ },
		);
	});
});
