import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { appendFile, chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { readInvitation } from '../../cli/host/invitation.ts';
import { inviteHost } from '../../cli/host/invite-host.ts';
import { joinHome, mustBeWhollyJoined } from '../../cli/host/join-home.ts';
import { keepsControlWorker } from '../../keeper/control-worker.ts';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { type Installation, loadConfig, openInstallation, places, readIdentity } from '../../system/installation.ts';
import { readTemporalTarget } from '../../system/temporal-target.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { killedAt } from '../equipment/killed-at-steps.ts';

const served = `
repositories: {main: /backup/main, old: /backup/old}
serve: {address: 192.0.2.10, temporal: 7401, repositories: {main: 7402, old: 7403}}
temporal: {payloadKeyFile: payload.key}
`;

async function served192(t: TestContext): Promise<{ installation: Installation; directory: string }> {
	const directory = await temporaryDirectory(t);
	const installation = await openInstallation(join(directory, 'home'));
	await writeFile(join(installation.home, 'config.yaml'), served);
	await writeFile(join(installation.home, 'payload.key'), 'ab'.repeat(32), { mode: 0o600 });
	return { installation, directory };
}

async function invitedTo(t: TestContext) {
	const { installation, directory } = await served192(t);
	const invitation = await inviteHost(installation, 'kvm2', join(directory, 'kvm2'));
	return { installation, directory, invitation, there: join(directory, 'there') };
}

const admittedIn = async ({ home }: Installation) => (await readAdmitted(home)).map(({ host, to }) => [host, ...to]);

suite('`host invite`', () => {
	test('makes one file with all that a host needs, and lets it in', async t => {
		const { installation, directory } = await served192(t);
		const path = join(directory, 'kvm2');
		const made = await inviteHost(installation, 'kvm2', path);
		assert.equal((await stat(path)).mode & 0o777, 0o600);
		const invitation = await readInvitation(path);
		assert.deepEqual(invitation, made);
		const { temporal, keys, repositories, hostId } = invitation;
		assert.deepEqual([temporal.address, temporal.payloadKey], ['192.0.2.10:7401', 'ab'.repeat(32)]);
		assert.deepEqual(repositories, [
			{ name: 'main', directory: '/backup/main', host: '192.0.2.10', port: 7402 },
			{ name: 'old', directory: '/backup/old', host: '192.0.2.10', port: 7403 },
		]);
		assert.deepEqual((await loadConfig(installation)).hosts, { kvm2: { id: hostId } });
		assert.deepEqual(await admittedIn(installation), [['kvm2', 'repositories', 'temporal']]);
		const certificate = new X509Certificate(keys.certificate);
		assert.ok(certificate.checkIssued(new X509Certificate(keys.authority)));
		assert.equal(certificate.subject, 'CN=kvm2');
		// Neither the host's key nor a copy of the authority's.
		const left = await readdir(places.repositoryKeys(installation.home));
		assert.deepEqual(left.toSorted(), ['admitted.json', 'keys', 'lock']);
	});

	test('again with the same file is the same, also after a try that died before config.yaml', async t => {
		const { installation, directory, invitation } = await invitedTo(t);
		const again = () => inviteHost(installation, 'kvm2', join(directory, 'kvm2'));
		assert.deepEqual(await again(), invitation);
		await writeFile(join(installation.home, 'config.yaml'), served);
		assert.deepEqual(await again(), invitation);
		assert.deepEqual((await loadConfig(installation)).hosts, { kvm2: { id: invitation.hostId } });
		await assert.rejects(inviteHost(installation, 'kvm2', join(directory, 'other')), { code: 'name_conflict' });
		await assert.rejects(inviteHost(installation, 'kvm3', join(directory, 'kvm2')), { code: 'usage' });
		await assert.rejects(inviteHost(installation, 'local', join(directory, 'other')), { code: 'name_conflict' });
	});

	test('of a host that was withdrawn makes another certificate, for the same host', async t => {
		const { installation, directory, invitation } = await invitedTo(t);
		await withdrawHost(installation.home, 'kvm2');
		await assert.rejects(inviteHost(installation, 'kvm2', join(directory, 'kvm2')), { code: 'usage' });
		assert.deepEqual(await admittedIn(installation), []);
		const again = await inviteHost(installation, 'kvm2', join(directory, 'other'));
		assert.equal(again.hostId, invitation.hostId);
		assert.notEqual(again.keys.key, invitation.keys.key);
	});

	test('that fails leaves neither a file nor a host that is let in', async t => {
		const { installation, directory } = await served192(t);
		// Nothing can be set in what an alias stands for.
		const text = `host: {networks: &none {}}\nhosts: *none\n${served}`;
		await writeFile(join(installation.home, 'config.yaml'), text);
		await assert.rejects(inviteHost(installation, 'kvm2', join(directory, 'kvm2')));
		assert.deepEqual(await readdir(directory), ['home']);
		assert.deepEqual(await admittedIn(installation), []);
	});

	test('of an installation that serves nothing is `config_invalid` with what to write', async t => {
		const { installation, directory } = await served192(t);
		await writeFile(join(installation.home, 'config.yaml'), 'repositories: {main: /backup/main}');
		const hint = /serve: \{address: ADDRESS OF THIS MACHINE, temporal: 7401, repositories: \{main: 7402\}\}/;
		await assert.rejects(inviteHost(installation, 'kvm2', join(directory, 'kvm2')), { code: 'config_invalid', hint });
	});
});

suite('`host join`', () => {
	test('makes the home of a host that keeps supervisor and host worker alone', async t => {
		const { invitation, there } = await invitedTo(t);
		assert.equal(await joinHome(there, invitation), true);
		const config = await loadConfig({ home: there });
		assert.deepEqual([config.host.name, config.host.kind], ['kvm2', 'qemu']);
		assert.equal(keepsControlWorker(config), false);
		assert.equal(await readIdentity(places.hostIdentity(there)), invitation.hostId);
		const { address, namespace, tls, payloadKeyFile } = await readTemporalTarget({ home: there }, config);
		assert.deepEqual([address, namespace], ['192.0.2.10:7401', invitation.temporal.namespace]);
		assert.equal(tls?.serverName, invitation.temporal.tls.serverName);
		const { main, old } = config.repositoriesElsewhere;
		assert.deepEqual([main?.directory, main?.port, old?.port], ['/backup/main', 7402, 7403]);
		for (const key of [tls?.key, main?.key, old?.key]) {
			assert.equal(await readFile(key ?? '', 'utf8'), invitation.keys.key);
			assert.equal((await stat(key ?? '')).mode & 0o777, 0o600);
		}
		assert.equal((await readFile(payloadKeyFile ?? '', 'utf8')).trim(), 'ab'.repeat(32));
	});

	test('again changes nothing; another invitation of the host renews its keys, and nothing else', async t => {
		const { installation, directory, invitation, there } = await invitedTo(t);
		await joinHome(there, invitation);
		const path = join(there, 'config.yaml');
		await writeFile(path, (await readFile(path, 'utf8')).replace('kind: qemu', 'kind: qemu # ours\n  recoveries: 3'));
		const before = await readFile(path, 'utf8');
		assert.equal(await joinHome(there, invitation), false);
		assert.equal(await readFile(path, 'utf8'), before);
		await withdrawHost(installation.home, 'kvm2');
		const renewed = await inviteHost(installation, 'kvm2', join(directory, 'other'));
		assert.equal(await joinHome(there, renewed), true);
		const config = await loadConfig({ home: there });
		assert.equal(config.host.recoveries, 3);
		assert.match(await readFile(path, 'utf8'), /kind: qemu # ours/);
		assert.equal(await readFile(config.repositoriesElsewhere['main']?.key ?? '', 'utf8'), renewed.keys.key);
	});

	test('killed at any step and said again, makes the same; until then `up` refuses the home', async t => {
		const { invitation, there } = await invitedTo(t);
		const call = { module: '../../cli/host/join-home.ts', name: 'joinHome', args: [there, invitation] };
		let refused = 0;
		for (let step = 1; await killedAt(step, call); step += 3) {
			const isWhole = await mustBeWhollyJoined(there).then(
				() => true,
				(error: { code: string }) => error.code !== 'phase_wrong',
			);
			if (!isWhole) refused += 1;
			await joinHome(there, invitation);
			await mustBeWhollyJoined(there);
			const config = await loadConfig({ home: there });
			assert.equal(config.host.name, 'kvm2');
			assert.equal(await readIdentity(places.hostIdentity(there)), invitation.hostId);
			assert.equal(await readFile(config.repositoriesElsewhere['main']?.key ?? '', 'utf8'), invitation.keys.key);
			await rm(there, { recursive: true });
		}
		assert.ok(refused > 3, `${refused}`);
	});

	test('refuses a home that is something else, and changes nothing of it', async t => {
		const { installation, directory, invitation, there } = await invitedTo(t);
		const before = await readdir(installation.home);
		await assert.rejects(joinHome(installation.home, invitation), {
			code: 'identity_conflict',
			message: /config\.yaml/,
		});
		assert.deepEqual(new Set(await readdir(installation.home)), new Set([...before, 'join.lock']));
		assert.equal((await loadConfig(installation)).host.name, 'local');
		await joinHome(there, invitation);
		const other = await inviteHost(installation, 'kvm3', join(directory, 'kvm3'));
		await assert.rejects(joinHome(there, other), { code: 'identity_conflict', message: /kvm2/ });
		assert.equal((await loadConfig({ home: there })).host.name, 'kvm2');
	});

	test('takes no invitation that others may read, or that is not whole, and quotes nothing of it', async t => {
		const { directory, invitation } = await invitedTo(t);
		const path = join(directory, 'kvm2');
		await chmod(path, 0o644);
		await assert.rejects(readInvitation(path), { code: 'config_invalid', hint: /chmod 600/ });
		await chmod(path, 0o600);
		await appendFile(path, invitation.keys.key);
		await assert.rejects(readInvitation(path), { code: 'config_invalid', message: /is no JSON$/ });
		await assert.rejects(readInvitation(join(directory, 'none')), { code: 'usage' });
	});
});
