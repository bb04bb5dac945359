import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { AwsCloud } from '../../sources/ec2/aws/cloud.ts';
import { openEc2Source } from '../../sources/ec2/open.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { beginMoment, isReady } from '../../sources/machine/steps/begin.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import { waitFor } from '../../system/wait.ts';
import { EbsPeer, peerRegion } from '../equipment/ec2/peer.ts';
import { PeerBenches } from '../equipment/ec2/peer-bench.ts';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';
import { readStoredDisks } from '../equipment/ec2/stored-disks.ts';
import { memoryRepository, noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const mib = 2 ** 20;

test('an EC2 instance, by the SDK and a peer of another make', async t => {
	const benches = await PeerBenches.start(t);
	for (const { name, run } of sourceConformance(() => benches.make())) await t.test(name, run);
});

test('increments of an instance are what its volumes were, though calls are throttled, bodies cut and spoilt, and tokens expire', async t => {
	const peer = await EbsPeer.start(t, {
		unitBytes: mib,
		faults: { PEER_TOKEN_SECONDS: '1', PEER_THROTTLED: '0.1', PEER_CUT: '0.05', PEER_FLIPPED: '0.05' },
	});
	const { instanceId, volumeIds } = await peer.instance([24, 8]);
	const [root = '', data = ''] = volumeIds;
	const source = await openEc2Source(`ec2://${peerRegion}/${instanceId}`, peer.access);
	t.after(() => source.close());
	const places = { source, repository: await memoryRepository(128 * 1024), signal };
	await peer.write(root, 5 * mib, noise(9 * mib, 1));
	await peer.write(data, 0, noise(3 * mib, 2));
	for (const round of [0, 1, 2]) {
		await peer.write(root, (3 + 4 * round) * mib + 77_824, noise(700_000, round + 10));
		await peer.write(data, round * mib, Buffer.alloc(mib));
		const held = [await peer.content(root, 24 * mib), await peer.content(data, 8 * mib)];
		const now = new Date(Date.UTC(2026, 10, 20, 3, round));
		const order = await makeOrder(places, { importId: crypto.randomUUID(), machine: 'web01', spec: {}, now });
		const moment = await beginMoment(places, order);
		await waitFor('the moment', () => isReady(places, moment), { timeoutMs: 60_000 });
		// What is written from now on is in none of it.
		await peer.write(root, 0, noise(4096, 90 + round));
		const { reads } = await copyMoment(places, { order, moment });
		await commitMoment(places, order);
		assert.deepEqual(
			reads.map(one => one.reads),
			round === 0 ? ['all', 'all'] : ['changes', 'changes'],
		);
		for (const [number, bytes] of (await readStoredDisks(places.repository, 'web01', order.time)).entries())
			assert.ok(bytes.equals(held[number] ?? Buffer.alloc(0)), `disk ${number} of round ${round} is not what it was`);
	}
});

test('a body that stands still is cut, and read again', async t => {
	const peer = await EbsPeer.start(t, { unitBytes: mib, faults: { PEER_STILL: '0.3' } });
	const { instanceId, volumeIds } = await peer.instance([4]);
	await peer.write(volumeIds[0] ?? '', 0, noise(4 * mib, 1));
	const cloud = await AwsCloud.open({ ...peer.access, region: peerRegion, stallMs: 200 });
	t.after(() => cloud.close());
	const made = await cloud.createSnapshots({ instanceId, description: 'test', tags: { of: 'test' } }, signal);
	const snapshotId = made[0]?.snapshotId ?? '';
	const { tokens } = await allTokens(cloud, snapshotId);
	let stood = 0;
	for (const [index, token] of tokens) {
		for (;;)
			try {
				assert.equal((await cloud.block({ snapshotId, index, token }, signal)).bytes.length, 512 * 1024);
				break;
			} catch (error) {
				assert.equal(Reflect.get(Object(error), 'fault'), 'cut');
				stood += 1;
			}
	}
	assert.ok(stood > 0, 'none stood still');
});

test('a server that takes connections and says nothing is given up', async t => {
	const server = createServer(socket => socket.resume()).listen(0, '127.0.0.1');
	t.after(() => server.close());
	await once(server, 'listening');
	const address = server.address();
	assert.ok(address !== null && typeof address === 'object');
	const endpoint = `http://127.0.0.1:${address.port}`;
	const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
	const cloud = await AwsCloud.open({ region: peerRegion, endpoint, credentials, answerMs: 100 });
	t.after(() => cloud.close());
	await assert.rejects(cloud.createSnapshots({ instanceId: 'i-1', description: '', tags: {} }, signal), {
		fault: 'unreachable',
		word: 'TimeoutError',
	});
});

test('a changed block without any token is none of zeros', async t => {
	const block = (more: object) => ({ BlockIndex: 3, ...more });
	const answers = [block({ FirstBlockToken: 'x' }), block({})];
	const server = createHttpServer((_request, answer) => {
		const facts = { BlockSize: 512 * 1024, VolumeSize: 1 };
		answer
			.setHeader('content-type', 'application/json')
			.end(JSON.stringify({ ...facts, ChangedBlocks: answers.splice(0, 1) }));
	}).listen(0, '127.0.0.1');
	t.after(() => server.close());
	await once(server, 'listening');
	const address = server.address();
	assert.ok(address !== null && typeof address === 'object');
	const endpoint = `http://127.0.0.1:${address.port}`;
	const cloud = await AwsCloud.open({
		region: peerRegion,
		endpoint,
		credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
	});
	t.after(() => cloud.close());
	const query = { snapshotId: 'snap-2', since: 'snap-1', startAt: 0, pageToken: null, most: 1000 };
	assert.deepEqual((await cloud.listBlocks(query, signal)).blocks, [{ index: 3, token: null }]);
	await assert.rejects(cloud.listBlocks(query, signal), { fault: 'impossible' });
});

async function allTokens(cloud: AwsCloud, snapshotId: string) {
	const query = { snapshotId, since: null, startAt: 0, most: 1000 };
	const { next } = await cloud.listBlocks({ ...query, pageToken: null }, signal);
	const { blocks } = await cloud.listBlocks({ ...query, pageToken: next }, signal);
	return { tokens: blocks.map(({ index, token }) => [index, token ?? ''] as const) };
}
