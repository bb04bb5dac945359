import assert from 'node:assert/strict';
import { appendFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { IncidentLog, parseLog } from '../../supervisor/files/incident-log.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const at = new Date('2026-11-20T03:00:00.000Z');
const brief = (log: IncidentLog) =>
	log.after(0).then(all => all.map(({ sequence, kind, count }) => `${sequence} ${kind} ${count}`));

test('the same in a row is one incident with a count, from the first time on', async t => {
	const path = join(await temporaryDirectory(t), 'incidents.jsonl');
	const log = new IncidentLog(path, () => at);
	await log.add('mover_died', 'mount');
	await log.add('mover_died', 'mount');
	await log.add('mover_died', 'migration');
	await log.add('mover_died', 'mount');
	assert.deepEqual(await brief(log), ['1 mover_died 2', '2 mover_died 1', '3 mover_died 1']);
	assert.deepEqual(await brief(new IncidentLog(path, () => at)), await brief(log));
	assert.equal(await log.highest(), 3);
	assert.deepEqual((await log.after(2)).length, 1);
});

test('a line that a crash cut off is left out, and swallows nothing that follows', async t => {
	const path = join(await temporaryDirectory(t), 'incidents.jsonl');
	await new IncidentLog(path, () => at).add('first', '');
	await appendFile(path, '\n{"sequence":2,"at":"20');
	await new IncidentLog(path, () => at).add('second', '');
	assert.deepEqual(await brief(new IncidentLog(path, () => at)), ['1 first 1', '2 second 1']);
});

test('additions at the same time are all there', async t => {
	const path = join(await temporaryDirectory(t), 'incidents.jsonl');
	const log = new IncidentLog(path, () => at);
	await Promise.all(Array.from({ length: 20 }, (_, index) => log.add(`kind-${index}`, '')));
	assert.equal((await new IncidentLog(path, () => at).after(0)).length, 20);
});

test('a closed log is not made anew', async t => {
	const path = join(await temporaryDirectory(t), 'incidents.jsonl');
	const log = new IncidentLog(path, () => at);
	await log.close();
	await log.add('late', '');
	assert.deepEqual(await new IncidentLog(path, () => at).after(0), []);
});

test('lines that are no incidents are no incidents', () => {
	assert.deepEqual(parseLog('null\n{}\n[1]\nnonsense\n'), []);
});

test('a log that things happen to for months stays bounded, and its numbers go on', async t => {
	const path = join(await fastDirectory('rouse-incidents-'), 'incidents.jsonl');
	t.after(() => rm(dirname(path), { recursive: true }));
	const log = new IncidentLog(path, () => at);
	let largest = 0;
	for (let time = 1; time <= 4_000; time++) {
		await log.add('attempt_failed', `${time} ${'z'.repeat(5_000)}`);
		if (time % 100 === 0) largest = Math.max(largest, (await stat(path)).size);
	}
	assert.ok(largest < 1.1 * 1024 * 1024, `${largest} bytes`);
	const kept = await log.after(0);
	assert.ok(kept.length > 100 && kept.length < 1_200, `${kept.length}`);
	assert.ok(kept.every(({ message }) => message.length <= 1_000));
	assert.equal(await log.highest(), 4_000);
	assert.deepEqual(await new IncidentLog(path, () => at).after(0), kept);
});
