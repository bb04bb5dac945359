import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
	defaultName,
	hashRequest,
	idElsewhere,
	makePoolRequest,
	makeRequest as requestFor,
	type RequestOptions,
} from '../../client/requests.ts';
import { recoveryRequestSchema } from '../../model/recovery.ts';
import { configSchema } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { sampleHostView } from '../equipment/sample-host.ts';
import { sampleSourceFacts } from '../equipment/sample-source-facts.ts';
import { storedMachine } from '../equipment/stored-machine.ts';

describe('the name of a recovery', () => {
	it('by default is the same each time, and never too long', () => {
		assert.equal(defaultName('web01'), 'web01-r1');
		assert.equal(defaultName('a'.repeat(40)).length, 40);
	});
});

describe('the hash of a request', () => {
	it('is the same whoever asks and why, and in whatever order the networks were written', () => {
		const hash = hashRequest(makeRequest({ networks: { a: 'user', b: 'none' } }));
		assert.equal(
			hashRequest(makeRequest({ networks: { b: 'none', a: 'user' }, requestedBy: 'ben', reason: 'other' })),
			hash,
		);
		assert.notEqual(hashRequest(makeRequest({ networks: { a: 'user', b: 'user' } })), hash);
	});
});

describe('makeRequest', () => {
	const config = configSchema.parse({ host: { networks: { lan: 'bridge0' } } });
	const { networks } = config.host;
	const surroundings = { networks, repository: '/nowhere', host: sampleHostView };
	const options = { finish: 'manual', switch: 'auto', allocate: 'thin', powerOn: true } as const;
	const make = (more: Partial<RequestOptions>, host = sampleHostView) =>
		requestFor({ machine: 'web01', point: 'latest' }, { ...options, ...more }, { ...surroundings, host });

	it('refuses a network that the host does not have before the repository is opened', async () => {
		await assert.rejects(make({ networks: { lan: 'other' } }), {
			code: 'config_invalid',
			hint: 'it has: bridge0, none; no bridges here',
		});
		await assert.rejects(make({ networks: { dmz: 'other' } }), { code: 'config_invalid' });
		const host = { ...sampleHostView, networksInstead: { 'bridge:eth0': 'eth0 is no bridge: macvtap:eth0' } };
		await assert.rejects(make({ networks: { lan: 'bridge:eth0' } }, host), {
			hint: 'eth0 is no bridge: macvtap:eth0; it has: bridge0, none; no bridges here',
		});
		await assert.rejects(make({ networks: { dmz: 'none' } }), { code: 'repository_missing' });
	});

	it('`idElsewhere` tells an unknown host which there are', () => {
		const hosts = { hv1: { id: sampleHostView.hostId } };
		assert.equal(idElsewhere({ ...config, hosts }, 'local'), undefined);
		assert.equal(idElsewhere({ ...config, hosts }, 'hv1'), sampleHostView.hostId);
		assert.throws(() => idElsewhere({ ...config, hosts }, 'hv2'), {
			code: 'host_unknown',
			hint: 'this installation has: local, hv1',
		});
	});

	it('refuses a supervisor of another protocol', async () => {
		await assert.rejects(make({}, { ...sampleHostView, protocol: 0 }), { code: 'protocol' });
	});

	it('without forwards is the request that it was before there were any', async t => {
		const { machine, repository } = await storedMachine(await temporaryDirectory(t));
		const made = (forwards: RequestOptions['forwards']) =>
			requestFor({ machine, point: 'latest' }, { ...options, forwards }, { ...surroundings, repository });
		const forward = { address: '127.0.0.1', port: 2222, guestPort: 22 };
		assert.equal('forwards' in (await made([])), false);
		assert.deepEqual((await made([forward])).forwards, [forward]);
	});

	it('warns of what the point lacks, and of one whose disks are of no one moment', async t => {
		const missing = { atBytes: 512, lengthBytes: 1024 };
		const facts = { source: { ...sampleSourceFacts, consistency: 'none' } };
		const { machine, repository } = await storedMachine(await temporaryDirectory(t), {}, { missing, facts });
		const warnings: string[] = [];
		const onWarning = (warning: string) => void warnings.push(warning);
		await requestFor({ machine, point: 'latest' }, options, { ...surroundings, repository, onWarning });
		assert.match(warnings.join('\n'), /^\S+@\S+: disk0 is only a part: .* 1\.00 KiB are missing, from offset 512 on/);
		assert.match(warnings.join('\n'), /^\S+@\S+: its disks are of no one moment/m);
	});

	it('refuses a machine that is larger than the host, unless it is to be smaller', async t => {
		const { machine, repository } = await storedMachine(await temporaryDirectory(t));
		const host = { ...sampleHostView, memory: { totalMiB: 63, freeMiB: 63 } };
		const asking = (memoryMiB?: number) =>
			requestFor(
				{ machine, point: 'latest' },
				{ ...options, memoryMiB, cpus: 1 },
				{ ...surroundings, repository, host },
			);
		await assert.rejects(asking(), {
			code: 'precheck_failed',
			message: /the machine takes 64\.0 MiB of memory, and host local has 63\.0 MiB/,
		});
		await assert.rejects(asking(1024), { code: 'precheck_failed' });
		const { memoryMiB, cpus } = await asking(32);
		assert.deepEqual([memoryMiB, cpus], [32, 1]);
	});

	it('takes the wishes to the platform as they are', async t => {
		const directory = await temporaryDirectory(t);
		const { machine, repository } = await storedMachine(directory);
		const asked = { ...options, platformOptions: { disks: 'fast' } };
		const request = await requestFor({ machine, point: 'latest' }, asked, { ...surroundings, repository });
		assert.deepEqual(request.platformOptions, { disks: 'fast' });
		assert.deepEqual(recoveryRequestSchema.parse(request), request);
	});
});

describe('makePoolRequest', () => {
	const options = { finish: 'manual', switch: 'auto', allocate: 'thin', powerOn: true } as const;
	const small = { ...sampleHostView, name: 'small', networks: [] };
	const away = { place: { host: 'away', hostId: '9f6a1c1e-77a4-4f0e-8a55-0d6f5d2f4c11' }, view: null };
	const poolHost = (view: typeof sampleHostView) => ({ place: { host: view.name, hostId: view.hostId }, view });

	it('has all hosts in it, and tells of those that are unfit now', async t => {
		const repository = (await storedMachine(await temporaryDirectory(t))).repository;
		const warnings: string[] = [];
		const networks = { lan: 'user' };
		const request = await makePoolRequest(
			{ machine: 'web01', point: 'latest' },
			{ ...options, priority: 1 },
			{
				networks,
				repository,
				hosts: [poolHost(small), poolHost(sampleHostView), away],
				onWarning: warning => warnings.push(warning),
			},
		);
		assert.deepEqual([request.host, request.pool?.length, request.priority], ['small', 3, 1]);
		assert.match(warnings.join(), /goes elsewhere: host small has no network "user"/);
	});

	it('is refused where all hosts are unfit', async t => {
		const repository = (await storedMachine(await temporaryDirectory(t))).repository;
		const surroundings = { networks: { lan: 'user' }, repository, hosts: [poolHost(small)] } as const;
		const made = makePoolRequest({ machine: 'web01', point: 'latest' }, options, { ...surroundings });
		await assert.rejects(made, { code: 'config_invalid' });
	});
});
