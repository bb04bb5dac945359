import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { JournalPlace } from '../../repository/format/journal.ts';
import { isBefore } from '../../repository/format/journal.ts';
import { keys } from '../../repository/format/keys.ts';
import { pageMapOf } from '../../repository/format/page-map.ts';
import { JournalReader } from '../../repository/import/journal-reader.ts';
import { readPoint } from '../../repository/points.ts';
import { initRepository, type Repository } from '../../repository/repository.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse, startRouse } from '../equipment/command-line.ts';
import { collect, importDisks, memoryRepository } from '../equipment/repositories.ts';
import { resumedDisks, resumedImport } from '../equipment/resumed-import-child.ts';

const child = new URL('../equipment/resumed-import-child.ts', import.meta.url).pathname;
const chunkSizeBytes = 65_536;
const { machine, time, importId } = resumedImport;

async function journalEnd({ store }: Repository): Promise<JournalPlace> {
	const chunkCounts = resumedDisks().map(({ sizeBytes }) => pageMapOf({ sizeBytes, chunkSizeBytes }).chunkCount);
	return (await JournalReader.open(store, { importId, chunkCounts, hasBase: false })).ends;
}

/** What it said at its end; undefined when it was killed before. `afterMs`: from its intent on; undefined: it is left alone. */
async function runAttempt(directory: string, afterMs: number | undefined): Promise<string | undefined> {
	const attempt = spawn(process.execPath, [child, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
	const exit = once(attempt, 'exit');
	let last = '';
	for await (const line of createInterface({ input: attempt.stdout })) {
		if (line === 'begun' && afterMs !== undefined) setTimeout(() => attempt.kill('SIGKILL'), afterMs);
		else last = line;
	}
	const [code, signal] = await exit;
	assert.ok(code === 0 || signal === 'SIGKILL', `it ended with ${code}`);
	return code === 0 ? last : undefined;
}

test('an import killed at random moments is gone on with until it is done, and reads nothing that was told', async t => {
	const repository = await initRepository(join(await temporaryDirectory(t), 'repository'), { chunkSizeBytes });
	t.after(() => repository.store.close());
	const deaths: string[] = [];
	let said: string | undefined;
	let told = await journalEnd(repository);
	for (let kills = 0; said === undefined; kills++) {
		const before = await journalEnd(repository);
		// One that was killed behind its manifest may have begun to remove the journal.
		const isMade = (await repository.store.size(keys.point(machine, time))) !== undefined;
		assert.ok(isMade || !isBefore(before, told), `it told less than before: ${deaths.join(', ')}`);
		told = before;
		const afterMs = kills < 5 ? randomInt(600) : undefined; // starting a thread takes up to half of it
		said = await runAttempt(repository.location, afterMs);
		deaths.push(`after ${afterMs} ms at ${JSON.stringify(told)}`);
	}
	const reads: { offsetBytes: number }[][] = JSON.parse(said);
	const early = reads.flatMap((ofDisk, disk) =>
		ofDisk.filter(({ offsetBytes }) => isBefore({ disk, chunk: offsetBytes / chunkSizeBytes }, told)),
	);
	assert.deepEqual(early, [], deaths.join(', '));

	const point = await readPoint(repository, machine, time);
	assert.deepEqual((await verifyPoint(repository, point)).damaged, []);
	const whole = await memoryRepository(chunkSizeBytes);
	await importDisks(whole, resumedDisks());
	const expected = (await readPoint(whole, machine, time)).manifest.disks;
	assert.deepEqual(
		point.manifest.disks.map(({ contentDigest }) => contentDigest),
		expected.map(({ contentDigest }) => contentDigest),
		deaths.join(', '),
	);
	assert.deepEqual(await collect(repository.store.list(keys.intents)), []);
	assert.deepEqual(await readdir(join(repository.location, 'journal')), [], 'no folder either');
});

test('`backup import` after Ctrl-C goes on with what it began, and makes the point of that time', async t => {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const repository = join(directory, 'main');
	await rouse(home, ['repo', 'init', repository]);
	const path = join(directory, 'disk.raw');
	await writeFile(path, randomBytes(160 * 1024 * 1024));
	const order = ['backup', 'import', path, '--machine', 'web01', '--json'];
	const command = startRouse(t, home, order);
	const journals = join(repository, 'journal');
	const objects = async () => {
		const [only] = await readdir(journals).catch(() => []);
		return only === undefined ? 0 : (await readdir(join(journals, only))).length;
	};
	await waitFor('the first pack to be told of', async () => (await objects()) > 1, { timeoutMs: 60_000, everyMs: 10 });
	command.child.kill('SIGINT');
	const ended = await command.ended;
	assert.equal(ended.exitCode, 130);
	const { code, hint } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '');
	assert.equal(code, 'interrupted');
	assert.match(hint, /the same command goes on where it ended/);

	const again = await rouse(home, order);
	assert.equal(again.exitCode, 0, again.stderr);
	assert.match(again.stderr, /going on with the import begun at \d{4}-/);
	const { newBytes, restorePoint } = JSON.parse(again.stdout);
	assert.ok(newBytes < 100 * 1024 * 1024, `${newBytes} new`);
	assert.ok(Date.parse(restorePoint) < Date.now() - 500);
	assert.deepEqual(await readdir(join(repository, 'intents')), []);

	const later = await rouse(home, order);
	assert.doesNotMatch(later.stderr, /going on/);
	assert.notEqual(JSON.parse(later.stdout).restorePoint, restorePoint);
});
