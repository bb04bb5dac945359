import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHost } from '../../activities/control/check-host.ts';
import { makePlan } from '../../activities/control/make-plan.ts';
import { hardwareRequest } from '../../activities/hardware-request.ts';
import { planRecovery } from '../../activities/control/plan-recovery.ts';
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { makeRequest, planOf, testHostId } from '../equipment/recovery-request.ts';
import { sampleConfig, sampleHardware } from '../equipment/sample-config.ts';
import { sampleHostView as host } from '../equipment/sample-host.ts';
import { sampleSourceFacts } from '../equipment/sample-source-facts.ts';
import { storedMachine } from '../equipment/stored-machine.ts';

const randomBytes = (size: number) => new Uint8Array(size).fill(0x0a);
const withCode = (code: ErrorCode) => (error: unknown) => error instanceof RouseError && error.code === code;

function plan(
	config: Partial<MachineConfig>,
	changes: Parameters<typeof makeRequest>[0] = {},
	facts: Readonly<Record<string, unknown>> = {},
) {
	const request = makeRequest(changes);
	const manifest = {
		repositoryId: testHostId,
		machine: request.machine,
		time: request.restorePoint,
		importId: testHostId,
		facts,
		config: { ...sampleConfig, ...config },
		disks: planOf(request).disks,
	};
	return makePlan(request, { manifest, manifestDigest: 'a'.repeat(64) }, { randomBytes });
}
const nics = [{ mac: '52:54:00:11:22:33', network: 'lan' }];

test('`makePlan` puts the link of a NIC down whose network is not mapped, and warns', () => {
	const { nics: planned, warnings } = plan({ nics });
	assert.deepEqual(planned, [{ mac: '52:54:00:11:22:33', network: 'lan', target: 'none' }]);
	assert.match(warnings.join('\n'), /link down/);
});

test('`makePlan` keeps the address of a mapped NIC, or makes a new one when asked', () => {
	const networks = { lan: 'user' } as const;
	assert.deepEqual(plan({ nics }, { networks }).nics, [{ mac: '52:54:00:11:22:33', network: 'lan', target: 'user' }]);
	assert.equal(plan({ nics }, { networks, newMac: true }).nics[0]?.mac, '52:54:00:0a:0a:0a');
});

test('`makePlan` warns of a mapping for a network that the machine does not know', () => {
	assert.match(plan({ nics }, { networks: { wan: 'user' } }).warnings.join('\n'), /"wan"/);
});

test('`makePlan` warns of what the point lacks, and keeps it in the plan', () => {
	const request = makeRequest();
	const disks = planOf(request).disks.map(disk => ({ ...disk, missing: { atBytes: 4096, lengthBytes: 1024 } }));
	const named = { repositoryId: testHostId, machine: request.machine, time: request.restorePoint };
	const manifest = { ...named, importId: testHostId, facts: {} };
	const point = { manifest: { ...manifest, config: sampleConfig, disks }, manifestDigest: 'a'.repeat(64) };
	const made = makePlan(request, point, { randomBytes });
	assert.match(made.warnings.join('\n'), /^disk0 is only a part: of .* 1\.00 KiB are missing, from offset 4096 on/m);
	assert.deepEqual(made.disks, disks);
});

test('`makePlan` warns of a point whose disks are of no one moment, and of no other', () => {
	const warnings = (consistency: string) => plan({}, {}, { source: { ...sampleSourceFacts, consistency } }).warnings;
	assert.match(warnings('none').join('\n'), /^its disks are of no one moment \(consistency none\)/m);
	for (const other of ['crash', 'file-system', 'application']) assert.doesNotMatch(warnings(other).join(), /moment/);
});

test('`makePlan` says what was assumed of the original, and not of what was asked for', () => {
	const facts = { unknown: ['cpus', 'memoryMiB', 'nics'] };
	const config = { cpus: 2, memoryMiB: 4096, nics };
	const assumed = (request: Parameters<typeof makeRequest>[0], told: Readonly<Record<string, unknown>> = facts) =>
		plan(config, request, told).warnings.filter(warning => warning.includes('nobody knew'));
	const said = 'assumed, since nobody knew what the original had:';
	assert.deepEqual(assumed({}), [`${said} 2 vCPU, 4.00 GiB of memory, one NIC`]);
	assert.deepEqual(assumed({ memoryMiB: 512 }), [`${said} 2 vCPU, one NIC`]);
	assert.deepEqual(assumed({ memoryMiB: 512, cpus: 1 }, { unknown: ['cpus', 'memoryMiB'] }), []);
	assert.deepEqual(assumed({}, {}), []);
});

test('`makePlan` keeps the wishes to the platform, and not what it chooses', () => {
	const { platformOptions, hardware } = plan({}, { platformOptions: { disks: 'fast' } });
	assert.deepEqual({ platformOptions, hardware }, { platformOptions: { disks: 'fast' }, hardware: null });
});

test('`makePlan` keeps the ports that are forwarded, and has none where none was asked for', () => {
	const forwards = [{ address: '127.0.0.1', port: 2222, guestPort: 22 }];
	const planned = plan({}, { forwards });
	assert.deepEqual(hardwareRequest(planned).forwards, forwards);
	assert.equal('forwards' in hardwareRequest(plan({})), false);
	assert.deepEqual(
		hardwareRequest(planned).diskSizesBytes,
		planned.disks.map(({ sizeBytes }) => sizeBytes),
	);
});

test('`makePlan` gives the machine the size that was asked for, and keeps what it had', () => {
	const had = { memoryMiB: 4096, cpus: 8 };
	const asked = hardwareRequest(plan(had, { memoryMiB: 2048, cpus: 2 }));
	assert.deepEqual([asked.config.memoryMiB, asked.config.cpus, asked.had], [2048, 2, had]);
	const halfAsked = hardwareRequest(plan(had, { cpus: 2 }));
	assert.deepEqual([halfAsked.config.memoryMiB, halfAsked.config.cpus, halfAsked.had], [4096, 2, { cpus: 8 }]);
	assert.equal('had' in hardwareRequest(plan(had)), false);
});

test('`makePlan` of another point than the one asked for is `name_conflict`', () => {
	assert.throws(() => plan({}, { manifestDigest: 'f'.repeat(64) }), withCode('name_conflict'));
});

test('`checkHost` of a host that can carry out the plan only adds its warnings', () => {
	assert.deepEqual(checkHost(planOf(makeRequest()), testHostId, host), ['slow']);
});

test('`checkHost` of a host without the firmware, the space or a hypervisor is refused by its code', () => {
	const request = makeRequest({ allocate: 'start' });
	const whole = planOf(request);
	const efi = { ...whole, config: { ...whole.config, firmware: 'efi' as const } };
	assert.throws(() => checkHost(efi, testHostId, host), withCode('precheck_failed'));
	assert.throws(() => checkHost(whole, testHostId, { ...host, freeBytes: 1 }), withCode('space_short'));
	assert.throws(
		() => checkHost(whole, testHostId, { ...host, freeBytes: 2048 }),
		/has 2\.00 KiB free, .* take \d\S* \w+B/,
	);
	const unusable = { code: 'tool_missing' as const, message: 'no QEMU', hint: 'install it' };
	assert.throws(() => checkHost(whole, testHostId, { ...host, unusable }), withCode('tool_missing'));
	assert.throws(() => checkHost(whole, '00000000-0000-4000-8000-000000000000', host), withCode('host_unknown'));
});

test('`planRecovery` for a host asks its platform, and needs no host', async t => {
	const directory = await temporaryDirectory(t);
	const request = await storedMachine(directory, { hostId: testHostId, platformOptions: { disks: 'fast' } });
	const hardware = { ...sampleHardware, warnings: ['old'] };
	const asked: unknown[] = [];
	const chooseHardware = async (question: unknown) => {
		asked.push(question);
		return hardware;
	};
	const planned = await planRecovery(request, { host: { view: host, chooseHardware } });
	assert.deepEqual(asked, [hardwareRequest(planned)]);
	assert.deepEqual([planned.hardware, planned.warnings], [hardware, ['slow']]);
	assert.deepEqual(await planRecovery(request), { ...planned, hardware: null, warnings: [] });
});

test('`makePlan` takes no network of the request that every object answers to', () => {
	for (const network of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
		assert.equal(plan({ nics: [{ mac: '52:54:00:11:22:33', network }] }).nics[0]?.target, 'none');
});
