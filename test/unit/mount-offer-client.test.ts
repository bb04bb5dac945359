import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Counters } from '../../movers/mount-mover/counters.ts';
import { OfferClient } from '../../movers/mount-mover/offer-client.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { waitFor } from '../../system/wait.ts';
import { TestClock } from '../equipment/test-clock.ts';

test('`OfferClient.offer` asks a migration mover that was not there no sooner than after a second', async t => {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-offers-'));
	t.after(() => rm(directory, { recursive: true }));
	const socketPath = join(directory, 'offer.sock');
	const clock = new TestClock();
	const counters = new Counters();
	const client = new OfferClient(socketPath, counters, clock);
	t.after(() => client.close());
	const offered = (count: number) =>
		waitFor('the offer to end', () => counters.offersTaken + counters.offersDropped === count, { timeoutMs: 5_000 });
	client.offer('disk0', 1, Buffer.from('stored'));
	await offered(1);
	const offers: unknown[] = [];
	const server = createServer((incoming, outgoing) => {
		offers.push(incoming.url);
		incoming.resume();
		outgoing.writeHead(204).end();
	});
	await listenOnSocket(server, socketPath);
	t.after(() => server.close());
	clock.ms += 999;
	client.offer('disk0', 2, Buffer.from('stored'));
	await offered(2);
	clock.ms += 1;
	client.offer('disk0', 3, Buffer.from('stored'));
	await offered(3);
	assert.deepEqual(offers, ['/offer?disk=disk0&chunk=3']);
	assert.equal(counters.offersTaken, 1);
});
