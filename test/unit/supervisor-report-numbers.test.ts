import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ReportNumbers } from '../../supervisor/files/report-numbers.ts';
import { places } from '../../system/installation.ts';

const day = 86_400_000;

async function emptyHome(t: TestContext): Promise<{ home: string; at: (ms: number) => ReportNumbers }> {
	const home = await mkdtemp(join(tmpdir(), 'rouse-numbers-'));
	t.after(() => rm(home, { recursive: true }));
	return { home, at: ms => new ReportNumbers(home, { date: () => new Date(ms) }) };
}

const same = (number: number) => number;

test('`next` rises with the clock, and without it', async t => {
	const { home } = await emptyHome(t);
	let nowMs = 1_800_000_000_000;
	const numbers = new ReportNumbers(home, { date: () => new Date(nowMs) });
	assert.equal(await numbers.next(same), nowMs);
	assert.equal(await numbers.next(same), nowMs + 1);
	nowMs -= 300 * day;
	assert.equal(await numbers.next(same), 1_800_000_000_002);
	nowMs += 301 * day;
	assert.equal(await numbers.next(same), nowMs);
});

test('`next` of a process that comes after another is above all that one gave, whatever the clock says', async t => {
	const { at } = await emptyHome(t);
	let last = 0;
	for (const nowMs of [20 * day, 10 * day, 0, 30 * day, 29 * day]) {
		const numbers = at(nowMs);
		for (let count = 0; count < 3; count += 1) {
			const number = await numbers.next(same);
			assert.ok(number > last, `${number} after ${last}`);
			last = number;
		}
	}
});

test('`next` gives no number before it is on disk that it was given', async t => {
	const { home, at } = await emptyHome(t);
	const numbers = at(20 * day);
	const kept = async () => JSON.parse(await readFile(places.reportNumbers(home), 'utf8')).below;
	for (let count = 0; count < 3; count += 1) assert.ok((await numbers.next(same)) < (await kept()));
	await rm(dirname(places.reportNumbers(home)), { recursive: true });
	await writeFile(dirname(places.reportNumbers(home)), '');
	const later = at(40 * day);
	await assert.rejects(later.next(same), 'what cannot be written is not given');
});

test('`between` holds up numbers, and is told the last one that may have been given', async t => {
	const { at } = await emptyHome(t);
	const numbers = at(20 * day);
	const first = await numbers.next(same);
	const held = Promise.withResolvers<void>();
	let over = false;
	const told = numbers.between(async last => {
		await held.promise;
		over = true;
		return last;
	});
	const next = numbers.next(number => ({ number, over }));
	held.resolve();
	assert.equal(await told, first);
	assert.deepEqual(await next, { number: first + 1, over: true });
	const later2 = await at(0).between(async last => last);
	assert.ok(later2 > first, 'of a process that died nobody knows which it gave');
	assert.ok((await at(0).next(same)) > later2);
});

test('`next` goes on by the clock when its file cannot be understood: no recovery hangs on it', async t => {
	const { home, at } = await emptyHome(t);
	await mkdir(dirname(places.reportNumbers(home)), { recursive: true });
	await writeFile(places.reportNumbers(home), '{');
	assert.equal(await at(20 * day).next(same), 20 * day);
	await writeFile(places.reportNumbers(home), '{');
	assert.equal(await at(20 * day).between(async last => last), 0);
});
