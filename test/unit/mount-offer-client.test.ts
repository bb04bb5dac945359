import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Counters } from '../../movers/mount-mover/counters.ts';
import { OfferClient } from '../../movers/mount-mover/offer-client.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { waitFor } from '../../system/wait.ts';

/** In place of an answer: the connection ends. */
const dies = 0;

/** Its waiting ends when the test says so. */
async function bench(t: TestContext) {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-offers-'));
	t.after(() => rm(directory, { recursive: true }));
	const socketPath = join(directory, 'offer.sock');
	const counters = new Counters();
	const waited: number[] = [];
	let goOn = () => {};
	const clock = {
		delay: (ms: number) =>
			new Promise<void>(resolve => {
				waited.push(ms);
				goOn = resolve;
			}),
	};
	const client = new OfferClient(socketPath, counters, clock);
	t.after(() => client.close());
	const offers: unknown[] = [];
	const listen = async (answers: number[] = []) => {
		const server = createServer((incoming, outgoing) => {
			offers.push(incoming.url);
			incoming.resume();
			const answer = answers.shift() ?? 204;
			if (answer === dies) incoming.destroy();
			else outgoing.writeHead(answer).end();
		});
		await listenOnSocket(server, socketPath);
		t.after(() => server.close());
	};
	return { client, counters, waited, goOn: () => goOn(), offers, listen };
}

test('`OfferClient.offer` to a migration mover that is not there yet is kept, and asked again after a second', async t => {
	const { client, counters, waited, goOn, offers, listen } = await bench(t);
	for (const chunk of [1, 2]) client.offer('disk0', chunk, Buffer.from('stored'));
	await waitFor('nobody there', () => waited.length === 1, { timeoutMs: 5_000 });
	await listen();
	goOn();
	await waitFor('both offers', () => counters.offersTaken === 2, { timeoutMs: 5_000 });
	assert.deepEqual(offers, ['/offer?disk=disk0&chunk=1', '/offer?disk=disk0&chunk=2']);
	assert.deepEqual([waited, counters.offersDropped], [[1_000], 0]);
});

test('`OfferClient.offer` takes a chunk of any size when nothing else waits', async t => {
	const { client, counters, listen } = await bench(t);
	await listen();
	client.offer('disk0', 1, Buffer.alloc(16 * 1024 * 1024 + 1));
	await waitFor('the offer', () => counters.offersTaken === 1, { timeoutMs: 5_000 });
});

test('`OfferClient.offer` keeps no more than 16 MiB for a migration mover that is not there', async t => {
	const { client, counters } = await bench(t);
	for (let chunk = 0; chunk < 20; chunk += 1) client.offer('disk0', chunk, Buffer.alloc(1024 * 1024));
	assert.equal(counters.offersDropped, 4);
});

for (const [what, answer] of [
	['that has too much to do', 429],
	['that dies of it', dies],
] as const)
	test(`\`OfferClient.offer\` asks one ${what} three times, and goes on`, async t => {
		const { client, counters, waited, goOn, offers, listen } = await bench(t);
		await listen([answer, answer, answer]);
		for (const chunk of [1, 2]) client.offer('disk0', chunk, Buffer.from('stored'));
		for (const times of [1, 2]) {
			await waitFor('a refusal', () => waited.length === times, { timeoutMs: 5_000 });
			goOn();
		}
		await waitFor('the second chunk', () => counters.offersTaken === 1, { timeoutMs: 5_000 });
		assert.deepEqual(offers, [...Array(3).fill('/offer?disk=disk0&chunk=1'), '/offer?disk=disk0&chunk=2']);
		assert.equal(counters.offersDropped, 1);
	});
