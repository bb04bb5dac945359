import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parseSeed } from '../../appliance/first-boot/seed.ts';
import { admitOnce, planAccess, readAccess } from '../../cli/host/given.ts';
import { diskProblems, nameProblems } from '../../cli/host/local-problems.ts';
import { setupParts } from '../../cli/host/setup-parts.ts';
import { Output } from '../../cli/terminal/output.ts';
import { addHost, planHost } from '../../hypervisors/hyperv/host-setup/add.ts';
import { readHostRecord } from '../../hypervisors/hyperv/host-setup/record.ts';
import { readAdmitted } from '../../repository/service/admitted-hosts.ts';
import { loadConfig, openInstallation } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';
import { setupBench } from '../equipment/host-setup-bench.ts';
import { sampleSeed } from '../equipment/appliance-seed.ts';

const nowhere = { write: () => true };
const served = { address: '192.0.2.1', temporal: 7401, repositories: { main: 7402 } };

async function homeWith(t: Pick<TestContext, 'after'>, config: object): Promise<string> {
	const home = await temporaryDirectory(t);
	await writeFile(join(home, 'config.yaml'), JSON.stringify({ repositories: { main: '/backup' }, ...config }));
	return home;
}

describe('`host add`', () => {
	it('does all up to the wait for the appliance, goes on from there, and `host remove` undoes it', async t => {
		const { run, everything } = await setupBench(t);
		const before = await everything();
		const home = await homeWith(t, { serve: served });
		const { user, host, port } = run.wanted;
		const place = ['--ssh', `${user}@${host}`, '--port', String(port), '--datastore', 'D:\\Rouse\\', '--switch', 'lan'];
		const mine = ['--identity', run.identityPath, '--host-key', run.hostKey ?? ''];
		const add = ['host', 'add', 'hv1', '--kind', 'hyperv', ...place, ...mine, '--appliance', run.image];
		for (const more of [['--dry-run'], []]) {
			const { stderr } = await rouse(home, [...add, ...more, '--json']);
			const { code, message } = JSON.parse(stderr);
			assert.equal(code, 'precheck_failed', stderr);
			assert.match(
				message,
				/no Temporal server was started .*; nothing .* serve\.temporal \(192\.0\.2\.1, port 7401\)/,
			);
			assert.match(message, /serve\.repositories\.main \(.*7402\): rouse down, then rouse up --detach/);
		}
		const installation = await openInstallation(home);
		const silent = new Output({ stdout: nowhere, stderr: nowhere, json: true, quiet: true, debug: false });
		const context = { signal: new AbortController().signal, output: silent };
		const options = { identity: run.identityPath, hostKey: run.hostKey, appliance: run.image, tell: () => undefined };
		const parts = setupParts(context, installation, 'hv1', options);
		const ready = { ...parts, precheck: async () => undefined };
		assert.equal((await planHost(run.wanted, ready)).steps.length, 11);
		assert.deepEqual(await everything(), before);
		// There is no Temporal to which it could come.
		await assert.rejects(addHost(run.wanted, ready), { code: 'temporal_unreachable' });
		const directory = join(home, 'hosts', 'hv1');
		const { phase, hostId } = (await readHostRecord(directory)) ?? {};
		assert.equal(phase, 'adding');
		// The wait for its worker comes before its id is in config.yaml.
		const [admitted] = await readAdmitted(home);
		assert.deepEqual([admitted?.to, admitted?.hostId], [['repositories', 'temporal'], hostId]);
		await assert.rejects(addHost(run.wanted, ready), { code: 'temporal_unreachable' });
		assert.equal((await readHostRecord(directory))?.admitted, true);
		const remove = ['host', 'remove', 'hv1', '--confirm', 'hv1', ...mine.slice(0, 2)];
		const removed = await rouse(home, [...remove, '--json']);
		assert.equal(removed.exitCode, 0, removed.stderr);
		assert.deepEqual(await everything(), before);
		assert.deepEqual(await readAdmitted(home), []);
		assert.deepEqual((await loadConfig({ home })).hosts, {});
	});

	it('is refused with what to write where config.yaml has nothing that a host elsewhere reaches', async t => {
		const args = ['--kind', 'hyperv', '--ssh', 'A@hv1', '--datastore', 'D:\\Rouse', '--switch', 'lan', '--json'];
		const tls = { authority: 'a.crt', certificate: 'a.crt', key: 'a.key' };
		for (const [config, hint] of [
			[{}, /serve: \{address: ADDRESS OF THIS MACHINE, temporal: 7401, repositories: \{main: 7402\}\}/],
			[{ serve: { ...served, temporal: undefined } }, /temporal: 7401/],
			[
				{ serve: { ...served, temporal: undefined }, temporal: { address: 't:7233', tls: true } },
				/authority, certificate/,
			],
			[{ serve: { ...served, temporal: undefined }, temporal: { address: 'localhost:7233' } }, /its address on the/],
			[
				{ serve: { ...served, temporal: undefined }, temporal: { address: 't:7233', apiKeyFile: 'key', tls } },
				/take apiKeyFile out/,
			],
		] as const) {
			const { exitCode, stderr } = await rouse(await homeWith(t, config), ['host', 'add', 'hv1', ...args]);
			assert.equal(exitCode, 2, stderr);
			assert.match(JSON.parse(stderr).hint, hint);
		}
	});

	it('is `name_conflict` for the name of another host, before Windows is asked', async t => {
		const home = await homeWith(t, { serve: served, hosts: { hv1: { id: '11111111-2222-4333-8444-555555555555' } } });
		const args = ['--kind', 'hyperv', '--ssh', 'A@hv1', '--datastore', 'D:\\Rouse', '--switch', 'lan', '--json'];
		for (const more of [[], ['--dry-run']])
			assert.match((await rouse(home, ['host', 'add', 'hv1', ...args, ...more])).stderr, /name_conflict/);
	});

	it('wants a name server for a name, and none for an address', () => {
		const repository = { name: 'main', directory: '/backup', host: '192.0.2.1', port: 7402 };
		const at = (address: string, host = '192.0.2.1', nameServers: string[] = []) =>
			nameProblems({ nameServers }, { temporal: { address }, repository: { ...repository, host } }).join();
		for (const address of ['192.0.2.1:7233', '[2001:db8::1]:7233']) assert.equal(at(address), '');
		assert.match(at('temporal.example:7233'), /look up temporal\.example: give --name-server/);
		assert.match(at('192.0.2.1:7233', 'backup.example'), /look up backup\.example: /);
		assert.equal(at('temporal.example:7233', 'backup.example', ['192.0.2.53']), '');
	});

	it('tells together what of its disks cannot be made here', async t => {
		const installation = { cacheDirectory: await temporaryDirectory(t) };
		const file = join(installation.cacheDirectory, 'a.vhdx');
		await writeFile(file, '');
		assert.deepEqual(await diskProblems(installation, file), []);
		const path = process.env['PATH'];
		t.after(() => (process.env['PATH'] = path));
		process.env['PATH'] = '/nowhere';
		const [noFile, noTool, ...none] = await diskProblems(installation, `${file}x`);
		assert.match(noFile ?? '', /a\.vhdxx is no file/);
		assert.match(noTool ?? '', /mcopy: apt-get install .*mtools/);
		assert.deepEqual(none, []);
		assert.match((await diskProblems(installation, undefined)).at(-1) ?? '', /not installed: mmdebstrap/);
	});

	for (const [option, value] of [
		['--ssh', '-oProxyCommand=x@hv1'],
		['--ssh', 'A@-oProxyCommand=x'],
		['--ssh', 'hv1'],
		['--datastore', '/rouse'],
		['--datastore', 'D:/Rouse'],
		['--kind', 'qemu'],
		['--port', '0'],
		['--directory', '/opt/../etc'],
		['--home', '/'],
	] as const)
		it(`refuses ${option} ${value}`, async t => {
			const home = await homeWith(t, { serve: served });
			const usual = { '--kind': 'hyperv', '--ssh': 'A@hv1', '--datastore': 'D:\\Rouse', '--switch': 'lan' };
			const args = Object.entries({ ...usual, [option]: value }).map(pair => pair.join('='));
			const { exitCode, stderr } = await rouse(home, ['host', 'add', 'hv1', ...args]);
			assert.equal(exitCode, 2);
			assert.ok(stderr.includes(option), stderr);
		});
});

it('a Linux host has its program elsewhere than in its home', async t => {
	const home = await homeWith(t, { serve: served });
	const args = ['--ssh', 'root@kvm2', '--directory', '/srv/rouse/program', '--home', '/srv/rouse'];
	const { exitCode, stderr } = await rouse(home, ['host', 'add', 'kvm2', ...args]);
	assert.equal(exitCode, 2);
	assert.match(stderr, /what lies in its home/);
});

describe('What a host is given', () => {
	it('makes a seed that the appliance takes, with the embedded server and with one elsewhere', async t => {
		const sample = await sampleSeed(t);
		const keys = { authority: 'a.crt', certificate: 'a.crt', key: 'a.crt' };
		const elsewhere = { address: 'temporal.example:7233', namespace: 'rouse', tls: keys };
		for (const config of [
			{ serve: served },
			{ serve: { ...served, temporal: undefined }, temporal: { ...elsewhere, payloadKeyFile: 'payload.key' } },
		]) {
			const home = await homeWith(t, config);
			await writeFile(join(home, 'a.crt'), sample.temporal.tls.certificate);
			await writeFile(join(home, 'payload.key'), `${'ab'.repeat(32)}\n`);
			const installation = await openInstallation(home);
			const planned = await planAccess(installation);
			const directory = join(home, 'access');
			const hostId = randomUUID();
			await admitOnce(installation, 'hv1', directory, planned.to, hostId);
			await admitOnce(installation, 'hv1', directory, planned.to, hostId);
			const given = await readAccess(planned, directory);
			const seed = parseSeed(JSON.stringify({ ...sample, ...given }));
			assert.equal(seed.repository?.port, 7402);
			assert.equal(seed.repository?.certificate, await readFile(join(directory, 'host.crt'), 'utf8'));
			if (planned.to.includes('temporal')) assert.equal(seed.temporal.address, '192.0.2.1:7401');
			else assert.deepEqual([seed.temporal.namespace, seed.temporal.payloadKey], ['rouse', 'ab'.repeat(32)]);
		}
	});
});

describe('`host remove --forget`', () => {
	it('of the host of this installation is refused, which is not gone: nobody is told to wait for it no longer', async t => {
		const home = await homeWith(t, { host: { name: 'kvm1' } });
		const { exitCode, stderr } = await rouse(home, [
			'host',
			'remove',
			'kvm1',
			'--forget',
			'--confirm',
			'kvm1',
			'--json',
		]);
		assert.deepEqual([exitCode, JSON.parse(stderr).code], [6, 'phase_wrong'], stderr);
	});
});
