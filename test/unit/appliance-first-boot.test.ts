import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { configure, type Directories } from '../../appliance/first-boot/configure.ts';
import { appliancePath, mustBeAppliance } from '../../appliance/first-boot/mark.ts';
import { parseSeed } from '../../appliance/first-boot/seed.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { loadConfig } from '../../system/installation.ts';
import { sampleSeed, sampleWindows } from '../equipment/appliance-seed.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

async function machine(t: TestContext): Promise<Directories> {
	return { home: await temporaryDirectory(t), etc: await temporaryDirectory(t) };
}

/** Every file below, with its mode and text. */
async function contentOf(directory: string): Promise<Record<string, string>> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true });
	const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
	const texts = files.map(async path => {
		const mode = ((await stat(path)).mode & 0o777).toString(8);
		return [`${path.slice(directory.length + 1)} ${mode}`, await readFile(path, 'utf8')] as const;
	});
	return Object.fromEntries(await Promise.all(texts));
}

test('by hand, on a machine that is no appliance, it takes no seed disk and writes nothing', async t => {
	const home = await temporaryDirectory(t);
	await chmod(home, 0o755);
	const main = new URL('../../appliance/first-boot/main.ts', import.meta.url).pathname;
	const ended = spawnSync(process.execPath, [main], { env: { ...process.env, ROUSE_HOME: home }, encoding: 'utf8' });
	assert.equal(ended.status, 1);
	assert.match(ended.stderr, /^phase_wrong: this machine is no appliance: there is no \/etc\/rouse-appliance/);
	assert.equal((await stat(home)).mode & 0o777, 0o755);
	assert.deepEqual(await readdir(home), []);
	await mustBeAppliance(join(checkoutDirectory, 'appliance', 'root', appliancePath));
});

suite('`configure` of an appliance', () => {
	test('makes a configuration that `loadConfig` takes, and secrets that nobody else reads', async t => {
		const at = await machine(t);
		const seed = await sampleSeed(t);
		await configure(JSON.stringify(seed), at);
		const { host, temporal } = await loadConfig(at);
		assert.deepEqual([host.name, host.kind, temporal.address], ['hv1', 'simulated', 'temporal.example:7233']);
		assert.ok(typeof temporal.tls === 'object');
		assert.equal(await readFile(temporal.tls.key ?? '', 'utf8'), seed.temporal.tls.key);
		const modes = Object.keys(await contentOf(at.home)).map(name => name.split(' ')[1]);
		assert.deepEqual(new Set(modes), new Set(['600']));
		assert.equal((await stat(join(at.home, 'keys'))).mode & 0o777, 0o700);
	});

	test('says how the Windows host is reached, with its keys, and where the repository is', async t => {
		const at = await machine(t);
		const seed = await sampleSeed(t);
		const windows = sampleWindows(seed.temporal.tls.key);
		await configure(JSON.stringify({ ...seed, kind: 'hyperv', windows }), at);
		const { hyperv } = (await loadConfig(at)).host;
		assert.deepEqual(
			[hyperv?.ssh, hyperv?.datastore, hyperv?.appliance, hyperv?.address],
			['Administrator@192.0.2.1', windows.datastore, windows.appliance, '192.0.2.10'],
		);
		assert.equal(await readFile(join(at.home, hyperv?.identityFile ?? ''), 'utf8'), windows.key);
		assert.equal(await readFile(join(at.home, hyperv?.knownHostsFile ?? ''), 'utf8'), '192.0.2.1 ssh-ed25519 AAAA\n');
		const { main } = (await loadConfig(at)).repositoriesElsewhere;
		assert.deepEqual([main?.directory, main?.host, main?.port], ['/srv/rouse', 'repository.example', 7402]);
		assert.equal(await readFile(main?.certificate ?? '', 'utf8'), seed.repository?.certificate);
	});

	test('gives each adapter its address, in files that systemd-networkd may read', async t => {
		const at = await machine(t);
		await configure(JSON.stringify(await sampleSeed(t)), at);
		const { 'hostname 644': hostname, 'resolv.conf 644': resolver, ...rest } = await contentOf(at.etc);
		assert.deepEqual([hostname, resolver], ['hv1\n', 'nameserver 198.51.100.53\n']);
		assert.equal(
			rest['systemd/network/10-rouse-0.network 644'],
			'[Match]\nMACAddress=00:15:5d:01:02:03\n\n[Network]\nAddress=192.0.2.10/24\n',
		);
		assert.equal(
			rest['systemd/network/10-rouse-1.network 644'],
			'[Match]\nMACAddress=00:15:5d:01:02:04\n\n[Network]\nDHCP=yes\nGateway=198.51.100.1\n',
		);
	});

	test('a second time changes nothing, and a renewed seed takes away what it does not say', async t => {
		const at = await machine(t);
		const seed = await sampleSeed(t);
		await configure(JSON.stringify(seed), at);
		const before = [await contentOf(at.home), await contentOf(at.etc)];
		await configure(JSON.stringify(seed), at);
		assert.deepEqual([await contentOf(at.home), await contentOf(at.etc)], before);
		await configure(JSON.stringify({ ...seed, networks: seed.networks.slice(0, 1) }), at);
		assert.deepEqual(await readdir(join(at.etc, 'systemd', 'network')), ['10-rouse-0.network']);
	});

	for (const [what, change] of [
		['with another `renewal`', { renewal: '00'.repeat(32) }],
		['with another name', { name: 'hv2' }],
		['with another host id', { hostId: 'a3a3a3a3-0000-4000-8000-000000000000' }],
	] as const)
		test(`a seed ${what} is \`identity_conflict\` for one that is configured, and changes nothing`, async t => {
			const at = await machine(t);
			const seed = await sampleSeed(t);
			await configure(JSON.stringify(seed), at);
			const before = [await contentOf(at.home), await contentOf(at.etc)];
			await assert.rejects(configure(JSON.stringify({ ...seed, ...change }), at), { code: 'identity_conflict' });
			assert.deepEqual([await contentOf(at.home), await contentOf(at.etc)], before);
		});

	test('what config.yaml may not say is `config_invalid`, and leaves nothing', async t => {
		const at = await machine(t);
		const seed = await sampleSeed(t, { kind: 'hyperv' });
		const text = JSON.stringify({ ...seed, windows: { ...sampleWindows(seed.temporal.tls.key), datastore: 'here' } });
		await assert.rejects(configure(text, at), { code: 'config_invalid', message: /host\.hyperv\.datastore/ });
		await assert.rejects(configure(JSON.stringify(seed), at), { code: 'config_invalid', message: /host\.hyperv/ });
		assert.deepEqual([await contentOf(at.home), await contentOf(at.etc)], [{}, {}]);
	});
});

suite('`parseSeed`', () => {
	for (const [what, change, message] of [
		['a key that it does not know', { script: 'reboot' }, /script/],
		['another version', { version: 1 }, /version/],
		['no network', { networks: [] }, /networks/],
		[
			'an address that would be two lines',
			{ networks: [{ mac: '00:15:5d:01:02:03', address: 'dhcp\nX=1' }] },
			/address/,
		],
		['a host key of two lines', { windows: { host: 'h', user: 'u', key: 'k', hostKeys: ['a\nb'] } }, /windows/],
	] as const)
		test(`${what} is \`config_invalid\`, by its name`, async t => {
			const text = JSON.stringify({ ...(await sampleSeed(t)), ...change });
			assert.throws(() => parseSeed(text), { code: 'config_invalid', message });
		});

	test('a text that is no JSON is `config_invalid`, and is not quoted', () => {
		assert.throws(
			() => parseSeed('{"key": "-----BEGIN secret'),
			error =>
				error instanceof Error && 'code' in error && error.code === 'config_invalid' && !/secret/.test(error.message),
		);
	});
});
