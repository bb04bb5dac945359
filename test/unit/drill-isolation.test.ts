/** A drill's machine reaches nothing, wherever somebody says otherwise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan } from '../../activities/control/make-plan.ts';
import { hardwareRequest } from '../../activities/hardware-request.ts';
import { conflictsOf } from '../../client/batch/conflicts.ts';
import { chooseHardware as onHyperv } from '../../hypervisors/hyperv/choose-hardware.ts';
import { chooseDevices } from '../../hypervisors/qemu/choose-hardware.ts';
import { userAlone } from '../../hypervisors/qemu/host-networks.ts';
import { isUserNetwork, userNetdev } from '../../hypervisors/qemu/user-network.ts';
import { SimulatedHost } from '../../hypervisors/simulated/host.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { expanded } from '../equipment/batch-surroundings.ts';
import { makeRequest, planOf, testHostId } from '../equipment/recovery-request.ts';
import { sampleConfig } from '../equipment/sample-config.ts';
import { sampleRecoveryView } from '../equipment/sample-host.ts';

const drill = { name: 'weekly' };
const mac = '52:54:00:00:00:01';
const bridged = { mac, network: 'lan', target: 'bridge:br0' };

function planned(changes: Partial<RecoveryRequest>) {
	const request = makeRequest(changes);
	const { machine, restorePoint: time } = request;
	const config = { ...sampleConfig, nics: [{ mac, network: 'lan' }] };
	const made = { repositoryId: testHostId, machine, time, importId: testHostId, facts: {} };
	const manifest = { ...made, config, disks: planOf(request).disks };
	return makePlan(request, { manifest, manifestDigest: 'a'.repeat(64) }, { randomBytes: size => new Uint8Array(size) });
}

test('`makePlan` puts every NIC of a drill on the isolated network, says so, and keeps its address', () => {
	const plan = planned({ drill });
	assert.deepEqual(plan.nics, [{ mac, network: 'lan', target: 'isolated' }]);
	assert.deepEqual(
		[plan.drill, plan.warnings],
		[drill, [`isolated: ${mac} may be the addresses of the original, which the machine does not reach`]],
	);
	assert.equal(planned({ drill, networks: { lan: 'none' } }).nics[0]?.target, 'none');
	assert.equal(hardwareRequest(plan).isolated, true);
	assert.equal(hardwareRequest(planned({})).isolated, undefined);
});

test('`makePlan` refuses a network that leads anywhere to a drill alone', () => {
	const networks = { lan: 'bridge:br0' };
	assert.throws(() => planned({ drill, networks }), { code: 'config_invalid', message: /drill/ });
	assert.equal(planned({ networks }).nics[0]?.target, 'bridge:br0');
});

test('QEMU and the simulated host refuse an isolated machine a network that they have', async () => {
	const networks = { ...userAlone, offered: [...userAlone.offered, { name: 'bridge:br0', description: '' }] };
	const request = { config: sampleConfig, nics: [bridged], options: {} };
	chooseDevices(request, {}, networks);
	assert.throws(() => chooseDevices({ ...request, isolated: true }, {}, networks), { code: 'config_invalid' });
	const { platform } = new SimulatedHost({
		like: 'process',
		directory: '/nowhere',
		networks: ['bridge:br0'],
		readBase: async () => undefined,
	});
	await platform.chooseHardware(request);
	await assert.rejects(platform.chooseHardware({ ...request, isolated: true }), { code: 'config_invalid' });
	await platform.chooseHardware({ ...request, isolated: true, nics: [{ ...bridged, target: 'isolated' }] });
});

test('on QEMU the isolated network is a restricted one of the machine alone', () => {
	assert.ok(isUserNetwork('isolated'));
	assert.match(userNetdev('net0', []), /restrict=on/);
});

test('Hyper-V refuses an isolated machine every NIC that is connected, also to a switch of that name', () => {
	const report = {
		freeBytes: 1e12,
		memoryTotalMiB: 65_536,
		memoryFreeMiB: 32_768,
		processors: 16,
		switches: [{ name: 'isolated', type: 'External' as const }],
		initiatorName: 'iqn.1991-05.com.microsoft:hv1',
		hyperV: '10.0',
	};
	const on = (target: string) => ({
		config: sampleConfig,
		nics: [{ ...bridged, target }],
		options: {},
		isolated: true,
	});
	assert.throws(() => onHyperv(on('isolated'), report), { code: 'config_invalid', hint: /"lan": none/ });
	onHyperv(on('none'), report);
});

test('`conflictsOf` finds no address of a drill in use, and none of a machine that is isolated', async () => {
	const { items } = await expanded('groups: [{name: g, machines: [{machine: db01, networks: {lan: bridge0}}]}]');
	const of = (changes: object, target: string) =>
		conflictsOf(
			items.map(item => ({
				...item,
				point: { ...item.point, config: { ...item.point.config, nics: [{ mac, network: 'lan' }] } },
				request: { ...item.request, ...changes },
			})),
			[{ host: 'local', views: [{ ...sampleRecoveryView, nics: [{ mac, network: 'lan', target }] }] }],
		).map(({ kind }) => kind);
	assert.deepEqual([of({}, 'bridge0'), of({}, 'isolated'), of({ drill }, 'bridge0')], [['mac'], [], []]);
});
