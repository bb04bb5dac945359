import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RestoredPoll } from '../../movers/mount-mover/restored-poll.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { openRestoredMapReader } from '../../movers/restored-map/reader.ts';
import { openRestoredMapWriter } from '../../movers/restored-map/writer.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import { identityOfDisk } from '../equipment/restored-maps.ts';

test('`RestoredPoll` tells of a map that cannot be read, and follows the others', async t => {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-poll-'));
	t.after(() => rm(directory, { recursive: true, force: true }));
	const identity = identityOfDisk(8);
	const paths = [join(directory, 'first.map'), join(directory, 'second.map')];
	for (const path of paths) await createRestoredMap(path, identity, { targetReadsZero: true });
	const [first, second] = await Promise.all(paths.map(path => openRestoredMapReader(path, identity)));
	assert.ok(first && second);
	await first.close(); // from now on every read of it fails
	const ended = new AbortController();
	const poll = new RestoredPoll([first, second], () => {}, systemClock);
	const polling = poll.run(ended.signal);
	t.after(async () => {
		ended.abort();
		await polling;
		await second.close();
	});
	const writer = await openRestoredMapWriter(paths[1] ?? '', identity);
	await writer.append([{ first: 3, count: 1 }]);
	await writer.close();
	await waitFor('the second map to be followed', () => second.has(3), { timeoutMs: 5_000 });
	assert.notEqual(poll.trouble, undefined);
});
