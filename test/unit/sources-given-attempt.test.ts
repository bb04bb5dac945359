import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { afterInterruption, importAttempt } from '../../sources/given/attempt.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { keys } from '../../repository/format/keys.ts';
import { sealJson } from '../../repository/format/sealed-json.ts';
import { importMoment } from '../../repository/import/moment.ts';
import { importDisks, memoryRepository, noise, wholeSource } from '../equipment/repositories.ts';

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const time = '2026-11-20T03:00:00.000Z';

test('`importAttempt` goes on with what was interrupted, unless the machine has a later point and no time was said', async () => {
	const repository = await memoryRepository();
	const { store, chunkSizeBytes, frameSizeBytes } = repository;
	const disks = [Object.assign(wholeSource(noise(5000, 1)), { moment: 'then' })];
	const intent = {
		importId,
		machine: 'web01',
		time,
		moment: importMoment(disks),
		disks: [{ sizeBytes: 5000 }],
		chunkSizeBytes,
		frameSizeBytes,
		base: null,
		startedAt: time,
		hostname: hostname(),
		pid: 4_194_305, // more than Linux gives
	};
	await store.putExclusive(keys.intent(importId), sealJson('rouse-intent', intent));
	const now = '2026-11-25T03:00:00.000Z';
	const attempt = (at?: string) =>
		importAttempt(repository, { machine: 'web01', at, now, disks }, new AbortController().signal);
	const old = { importId, time, moment: intent.moment, begunAt: time };
	await importDisks(repository, [wholeSource(noise(5000, 2))], { time: '2026-11-19T03:00:00.000Z' });
	assert.deepEqual(await attempt(), old);
	await importDisks(repository, [wholeSource(noise(5000, 2))], { time: '2026-11-21T03:00:00.000Z' });
	const fresh = await attempt();
	assert.equal(fresh.time, now);
	assert.notEqual(fresh.importId, importId);
	assert.deepEqual(await attempt(time), old);
});

test('what is read in order is read anew after an interruption, and who interrupts it is told so', () => {
	const reason = new RouseError('interrupted', 'Ctrl-C');
	const hintOf = (moment: string | null, access?: 'sequential') =>
		asRouseError(afterInterruption(reason, { moment, disks: [{ access }, {}] }, AbortSignal.abort(reason))).hint;
	assert.match(hintOf('then') ?? '', /goes on where it ended/);
	for (const hint of [hintOf('then', 'sequential'), hintOf(null)]) assert.match(hint ?? '', /begins anew/);
});
