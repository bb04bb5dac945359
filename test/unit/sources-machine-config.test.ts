import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { type StatedSpec, statedSpecSchema } from '../../model/machine.ts';
import { checkConfigured, type Configured, machineConfig, unknownOf } from '../../sources/machine/config.ts';

const { signal } = new AbortController();

function machine(config: object, spec: object = {}): Configured {
	const parse = (given: object): StatedSpec => statedSpecSchema.parse(given);
	return {
		machine: 'web01',
		spec: parse(spec),
		described: {
			kind: 'simulated',
			name: 'web server',
			config: parse(config),
			disks: [
				{ serial: 'S1', sectors: null },
				{ serial: null, sectors: { logicalSectorBytes: 4096, physicalSectorBytes: 4096 } },
			],
		},
	};
}

/** With one partition of an EFI. */
function efiDisk() {
	const bytes = Buffer.alloc(65_536);
	bytes.writeUInt8(0xef, 446 + 4);
	bytes.writeUInt32LE(1, 446 + 8);
	bytes.writeUInt32LE(8, 446 + 12);
	bytes.writeUInt16LE(0xaa55, 510);
	return diskOf(bytes);
}

function diskOf(bytes: Buffer) {
	return {
		sizeBytes: bytes.length,
		read: async (offsetBytes: number, into: Buffer) => void bytes.copy(into, 0, offsetBytes),
	};
}

const stored = [efiDisk(), diskOf(Buffer.alloc(65_536))];

test('a machine of which nothing is known has 2 CPUs, 4 GiB, one NIC, and the firmware its stored disks ask for', async () => {
	const { config } = await machineConfig(machine({}), stored, signal);
	assert.partialDeepStrictEqual(config, { cpus: 2, memoryMiB: 4096, firmware: 'efi', os: 'linux', secureBoot: null });
	assert.equal(config.nics.length, 1);
	assert.deepEqual(config.origin, { kind: 'simulated', detail: 'web server' });
	assert.deepEqual(
		config.disks.map(({ serial, logicalSectorBytes }) => ({ serial, logicalSectorBytes })),
		[
			{ serial: 'S1', logicalSectorBytes: 512 },
			{ serial: null, logicalSectorBytes: 4096 },
		],
	);
	assert.ok((config.boot?.notLookedAt.length ?? 0) > 0);
	assert.deepEqual(unknownOf(machine({})), ['cpus', 'memoryMiB', 'nics']);
});

test('a machine of more disks than a point has is refused by their number', () => {
	const disks = Array.from({ length: 65 }, () => ({ serial: null, sectors: null }));
	const { described, ...named } = machine({});
	assert.throws(() => checkConfigured({ ...named, described: { ...described, disks } }), {
		code: 'usage',
		message: 'a machine has 1 to 64 disks, not 65',
	});
});

test('what a person says counts before what the source tells, and that before the disks', async () => {
	const told = { cpus: 8, memoryMiB: 512, firmware: 'bios', drivers: ['xen', 'nvme'], nics: [{ network: 'lan' }] };
	const both = machine(told, { cpus: 4, drivers: 'xen' });
	const { config } = await machineConfig(both, stored, signal);
	assert.partialDeepStrictEqual(config, { cpus: 4, memoryMiB: 512, firmware: 'bios' });
	assert.equal(config.nics[0]?.network, 'lan');
	assert.deepEqual(config.drivers, [
		{ name: 'xen', learntFrom: 'spec' },
		{ name: 'nvme', learntFrom: 'source' },
	]);
	assert.deepEqual(unknownOf(both), []);
});

test('addresses that no NIC has, or that are there twice, are derived anew when a platform tells them, and refused from a person', async () => {
	const nics = [{ mac: '52:54:00:00:00:01' }, { mac: '52:54:00:00:00:01' }, { mac: '01:00:00:00:00:01' }];
	const { config } = await machineConfig(machine({ nics }), stored, signal);
	const macs = config.nics.map(({ mac }) => mac);
	assert.equal(macs[0], '52:54:00:00:00:01');
	assert.equal(new Set(macs).size, 3);
	assert.ok(!macs.includes('01:00:00:00:00:01'));
	assert.throws(() => checkConfigured(machine({}, { nics })), { code: 'spec_invalid' });
	checkConfigured(machine({ nics }));
});

test('disks that cannot be read are told in the configuration, and fail nothing but by the signal', async () => {
	const broken = {
		sizeBytes: 65_536,
		read: async () => {
			throw new RouseError('chunk_missing', 'a chunk\nis gone');
		},
	};
	const { config, unseen } = await machineConfig(machine({}), [broken, broken], signal);
	assert.deepEqual(config.boot?.notLookedAt, ['the disks: a chunk?is gone']);
	assert.equal(unseen, 'how the machine boots could not be seen in full: the disks: a chunk?is gone');
	assert.equal(config.firmware, 'bios');
	const reason = new Error('enough');
	await assert.rejects(machineConfig(machine({}), [broken, broken], AbortSignal.abort(reason)), reason);
});
