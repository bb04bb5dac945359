import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseHostKey, parseHostKeys } from '../../hypervisors/hyperv/host-setup/host-keys.ts';
import {
	chooseNetwork,
	firstProblemsOf,
	type HostFacts,
	machinesInTheWay,
	problemsOf,
	warningsOf,
} from '../../hypervisors/hyperv/host-setup/judge.ts';
import { keyLine, knownHostLine, partOf } from '../../hypervisors/hyperv/host-setup/names.ts';
import type { WantedHost } from '../../hypervisors/hyperv/host-setup/record.ts';

const wanted: WantedHost = {
	name: 'hv1',
	user: 'Administrator',
	host: 'hv1',
	port: 22,
	datastore: 'D:\\Rouse',
	externalSwitch: 'lan',
	address: 'dhcp',
	nameServers: [],
};
const network = { hostAddress: '172.31.255.1', applianceAddress: '172.31.255.2', prefixLength: 29 };

function factsOf(change: Partial<HostFacts['survey']> = {}, report: Partial<HostFacts['report']> = {}): HostFacts {
	return {
		survey: {
			edition: 'Microsoft Windows Server 2022 Standard',
			fileSystem: 'NTFS',
			datastoreThere: true,
			files: [],
			services: [
				{ name: 'MSiSCSI', startType: 'Manual', running: false },
				{ name: 'sshd', startType: 'Automatic', running: true },
			],
			addresses: [],
			switches: [{ name: 'lan', type: 'External', ours: false }],
			machines: [],
			...change,
		},
		report: {
			freeBytes: 2 ** 40,
			memoryTotalMiB: 65536,
			memoryFreeMiB: 65536,
			processors: 8,
			switches: [],
			initiatorName: 'iqn',
			hyperV: '10.0.20348.0',
			...report,
		},
	};
}

const machine = { vmId: 'a', name: 'rouse-hv1', state: 'Off', ours: false, recoveryId: null, finished: false };

describe('`problemsOf` a host', () => {
	it('are none where all is as it must be', () => {
		assert.deepEqual(problemsOf(wanted, factsOf()), []);
		assert.deepEqual(warningsOf(factsOf()), []);
	});

	for (const [what, facts, problem] of [
		['no such switch', factsOf({ switches: [] }), /lan is no external switch there; there is none: New-VMSwitch/],
		['an internal switch', factsOf({ switches: [{ name: 'lan', type: 'Internal', ours: false }] }), /no external/],
		['another file system', factsOf({ fileSystem: 'FAT32' }), /has FAT32/],
		['no initiator', factsOf({ services: [] }), /MSiSCSI/],
		['little room', factsOf({}, { freeBytes: 1 }), /are free on the drive/],
		['little memory', factsOf({}, { memoryFreeMiB: 1000 }), /1000 MiB of memory are free/],
		[
			'a disk of another set-up',
			factsOf({ files: [{ path: 'D:\\Rouse\\appliance-hv1\\appliance.vhdx' }] }),
			/appliance\.vhdx, of an appliance .* remove D:\\Rouse\\appliance-hv1 with all/,
		],
		['a machine of that name', factsOf({ machines: [machine] }), /there is a machine rouse-hv1 already/],
		[
			'a switch of that name',
			factsOf({ switches: [...factsOf().survey.switches, { name: 'rouse-hv1', type: 'Internal', ours: false }] }),
			/there is a virtual switch rouse-hv1 already/,
		],
	] as const)
		it(`tell of ${what}`, () => {
			const problems = problemsOf(wanted, facts);
			assert.equal(problems.length, 1);
			assert.match(problems[0] ?? '', problem);
		});

	it('are none for what an earlier try of the same set-up has made', () => {
		const facts = factsOf({ machines: [{ ...machine, ours: true }] });
		assert.deepEqual(problemsOf(wanted, facts), []);
	});
});

describe('`firstProblemsOf` a host', () => {
	const hello = {
		powerShell: '5.1.20348.1',
		windows: '10.0.20348.0',
		computerName: 'HV1',
		bootId: 'a',
		elevated: true,
	};
	const none = { missing: [] };

	it('tell of powers, PowerShell, Windows and cmdlets that it lacks', () => {
		assert.deepEqual(firstProblemsOf('Bob', { hello, cmdlets: none }), []);
		const poor = { ...hello, elevated: false, powerShell: '4.0', windows: '6.3.9600.0' };
		const missing = [
			{ cmdlet: 'Get-VM', parameter: null },
			{ cmdlet: 'Set-VM', parameter: 'Notes' },
		];
		const problems = firstProblemsOf('Bob', { hello: poor, cmdlets: { missing } });
		for (const [index, problem] of [
			/Bob has not the powers/,
			/is 4\.0/,
			/6\.3/,
			/no Get-VM, Set-VM -Notes: /,
		].entries())
			assert.match(problems[index] ?? '', problem);
	});
});

describe('`chooseNetwork`', () => {
	it('keeps apart from every address of the host', () => {
		assert.deepEqual(chooseNetwork([{ address: '192.0.2.10', prefixLength: 24 }]), network);
		assert.equal(chooseNetwork([{ address: '172.31.255.3', prefixLength: 29 }])?.hostAddress, '172.31.255.9');
		assert.equal(chooseNetwork([{ address: '172.31.255.130', prefixLength: 25 }])?.hostAddress, '172.31.255.1');
		assert.equal(chooseNetwork([{ address: '172.31.255.1', prefixLength: 25 }])?.hostAddress, '172.31.255.129');
	});

	it('is undefined where each part is taken', () => {
		assert.equal(chooseNetwork([{ address: '172.16.0.1', prefixLength: 12 }]), undefined);
	});
});

describe('`machinesInTheWay`', () => {
	it('are those that still need the appliance', () => {
		const ofRecovery = { ...machine, recoveryId: 'r1' };
		const machines = [machine, { ...ofRecovery, finished: true }, { ...ofRecovery, name: 'web01' }];
		assert.deepEqual(machinesInTheWay({ machines }), ['web01 (recovery r1)']);
	});
});

describe('Keys of a set-up', () => {
	it('are sorted as OpenSSH prefers them, with the fingerprint that it prints', () => {
		const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIDFW/xR7SflFcmxh+7ibf2evD/3VCEGHFbpjqiKqTTsk';
		const keys = parseHostKeys(`# hv1:22 SSH-2.0\nhv1 ssh-rsa AAAAB3NzaC1yc2E=\n[hv1]:2222 ssh-ed25519 ${key}\n`);
		assert.deepEqual(
			keys.map(one => one.key.split(' ')[0]),
			['ssh-ed25519', 'ssh-rsa'],
		);
		assert.equal(keys[0]?.fingerprint, 'SHA256:BL4wzdX5/2kPr1w1h4fmIEfukxn0LThGslb4ZnO9d6s');
	});

	it('`chooseHostKey` takes the one that was read at the host, or that a person says yes to', async () => {
		const keys = ['SHA256:a', 'SHA256:b'].map(fingerprint => ({ key: `ssh-ed25519 ${fingerprint}`, fingerprint }));
		const choose = (expected: string | undefined, yes: boolean) =>
			chooseHostKey(keys, { expected, confirm: async () => yes });
		assert.equal((await choose('SHA256:b', false)).fingerprint, 'SHA256:b');
		assert.equal((await choose(undefined, true)).fingerprint, 'SHA256:a');
		await assert.rejects(choose('SHA256:c', true), { code: 'identity_conflict' });
		await assert.rejects(choose(undefined, false), { code: 'precheck_failed' });
	});

	it('`keyLine` lets in from the appliance alone, and says whose it is', () => {
		assert.equal(
			keyLine('ssh-ed25519 AAAA comment\n', { setupId: 'id', network }),
			'restrict,from="172.31.255.2" ssh-ed25519 AAAA rouse-setup-id',
		);
	});

	it('`knownHostLine` names another port, and `partOf` another content', () => {
		assert.equal(knownHostLine('hv1', 22, 'ssh-rsa A'), 'hv1 ssh-rsa A');
		assert.equal(knownHostLine('hv1', 2222, 'ssh-rsa A'), '[hv1]:2222 ssh-rsa A');
		assert.notEqual(partOf('D:\\a', 'a'.repeat(64)), partOf('D:\\a', 'b'.repeat(64)));
	});
});
