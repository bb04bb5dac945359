import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { driverError } from '../../hypervisors/hyperv/driver/errors.ts';
import { meaningOf } from '../../hypervisors/hyperv/driver/hresults.ts';
import type { SshDestination } from '../../system/ssh-destination.ts';
import { sftpArguments, sshArguments } from '../../system/ssh-destination.ts';
import { sshFailure } from '../../hypervisors/hyperv/driver/ssh-failure.ts';

const failed = (hresult: string | null, cmdlet: string | null = 'New-VHD') =>
	driverError('make-target', { code: 'failed', message: 'it went wrong', hresult, cmdlet });

describe('`driverError`', () => {
	for (const [hresult, code] of [
		['0x80070005', 'machine_failed'],
		['0x80070020', 'hypervisor_failed'],
		['0x80070070', 'space_short'],
		['0x800705AA', 'machine_failed'],
		['0x8007000E', 'machine_failed'],
		['0x80070490', 'hypervisor_failed'],
		['0x800705B4', 'hypervisor_stuck'],
		['0x00008005', 'machine_failed'],
		['0x00008007', 'phase_wrong'],
		['0x8004100E', 'precheck_failed'],
		['0xC03A0009', 'space_short'],
		['0xC03A000E', 'identity_conflict'],
		['0xC03A000D', 'hypervisor_failed'],
		['0xEFFF0040', 'hypervisor_failed'],
	] as const)
		it(`of ${hresult} is \`${code}\`, with its name and what to do`, () => {
			const error = failed(hresult);
			assert.equal(error.code, code);
			assert.equal(error.message, `make-target: New-VHD: it went wrong (${hresult} ${meaningOf(hresult)?.name})`);
			assert.equal(error.hint, meaningOf(hresult)?.hint);
			assert.deepEqual(error.details, { driver: 'failed', hresult, cmdlet: 'New-VHD' });
		});

	it('knows every number of virtual disks', () => {
		const numbers = Array.from({ length: 0x28 }, (_, index) => index + 1);
		const unknown = numbers.filter(number => !meaningOf(`0xC03A${number.toString(16).toUpperCase().padStart(4, '0')}`));
		assert.deepEqual(unknown, []);
		assert.ok(meaningOf('0x803A0001'));
	});

	it('of an unknown number, or none, is `hypervisor_failed`', () => {
		const unknown = failed('0x8BADF00D');
		assert.equal(unknown.code, 'hypervisor_failed');
		assert.match(unknown.message, /\(0x8BADF00D\)$/);
		const none = failed(null, null);
		assert.equal(none.message, 'make-target: it went wrong');
		assert.match(none.hint ?? '', /Get-WinEvent/);
		assert.deepEqual(none.details, { driver: 'failed' });
	});

	for (const [code, expected] of [
		['identity_conflict', 'identity_conflict'],
		['chain_unexpected', 'machine_failed'],
		['slots_full', 'host_busy'],
		['machine_unknown', 'machine_failed'],
		['state_wrong', 'phase_wrong'],
		['not_there', 'hypervisor_failed'],
		['busy', 'hypervisor_failed'],
	] as const)
		it(`of the driver's own \`${code}\` is \`${expected}\`, and names it`, () => {
			const error = driverError('start', { code, message: 'so it is', hresult: null, cmdlet: null });
			assert.equal(error.code, expected);
			assert.equal(error.message, 'start: so it is');
			assert.deepEqual(error.details, { driver: code });
			assert.ok(error.hint);
		});
});

const destination: SshDestination = {
	host: 'hv1',
	port: 22,
	user: 'Administrator',
	identityPath: '/home/of rouse/key',
	knownHostsPath: '/home/of rouse/known',
};

describe('`sshFailure`', () => {
	const end = (said: string, code: number | null = 255) => sshFailure(destination, { code, signal: null, said });
	for (const [said, hint] of [
		['Administrator@hv1: Permission denied (publickey).', /administrators_authorized_keys/],
		['ssh: connect to host hv1 port 22: Connection refused', /Start-Service sshd/],
		['ssh: Could not resolve hostname hv1: Name or service not known', /address/],
		['ssh: connect to host hv1 port 22: Connection timed out', /internal switch/],
		['Timeout, server hv1 not responding.', /internal switch/],
		["'powershell.exe' is not recognized as an internal or external command,", /PATH/],
		['Load key "/home/of rouse/key": bad permissions', /private key/],
	] as const)
		it(`knows what to do about: ${said}`, () => {
			const error = end(said);
			assert.equal(error.code, 'hypervisor_failed');
			assert.match(error.hint ?? '', hint);
			assert.ok(error.message.includes(said));
		});

	it('is `identity_conflict` when another host answers', () => {
		assert.equal(end('Host key verification failed.').code, 'identity_conflict');
	});

	it('says how the session ended', () => {
		assert.match(end('', 1).message, /ended with 1/);
		assert.match(end('', 97).message, /did not reach Administrator@hv1:22 whole/);
		assert.match(sshFailure(destination, { code: null, signal: 'SIGKILL', said: '' }).message, /ended by SIGKILL/);
	});
});

describe('`sshArguments`', () => {
	it('trust the known key of the host alone, use ours alone, and give no pty', () => {
		const given = sshArguments(destination);
		for (const option of [
			'BatchMode=yes',
			'StrictHostKeyChecking=yes',
			'UserKnownHostsFile="/home/of rouse/known"',
			'GlobalKnownHostsFile=none',
			'IdentitiesOnly=yes',
			'IdentityAgent=none',
		])
			assert.ok(given.includes(option), option);
		assert.ok(given.includes('-T'));
		assert.deepEqual(given.slice(given.indexOf('-i')), [
			'-i',
			'/home/of rouse/key',
			'-p',
			'22',
			'-l',
			'Administrator',
			'--',
			'hv1',
		]);
	});

	it('take a path as it is, whatever ssh would put in the place of a part of it', () => {
		const given = sshArguments({ ...destination, knownHostsPath: '/srv/100%h/known' });
		assert.ok(given.includes('UserKnownHostsFile="/srv/100%%h/known"'));
	});

	it('take for a person the keys that ssh finds by itself, and no other record of host keys', () => {
		const given = sshArguments({ ...destination, identityPath: undefined });
		for (const option of ['-i', 'IdentitiesOnly=yes', 'IdentityAgent=none']) assert.ok(!given.includes(option), option);
		for (const option of ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'GlobalKnownHostsFile=none'])
			assert.ok(given.includes(option), option);
	});

	it('of `sftp` name the same host, one by its address of IPv6 too', () => {
		assert.deepEqual(sftpArguments({ ...destination, host: '2001:db8::1' }, 'batch').slice(-8), [
			'-P',
			'22',
			'-o',
			'User=Administrator',
			'-b',
			'batch',
			'--',
			'[2001:db8::1]',
		]);
	});
});
