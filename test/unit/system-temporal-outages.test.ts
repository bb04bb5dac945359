import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { places } from '../../system/installation.ts';
import { readOutages, recordTemporal } from '../../system/temporal-outages.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

test('`readOutages` pairs what a process says, and takes none for current that a dead one has left open', async t => {
	const home = await temporaryDirectory(t);
	assert.deepEqual(await readOutages(home), []);
	const at = (second: number) => new Date(second * 1000).toISOString();
	const dead = captive(t, 'sleep', ['600']);
	await recordTemporal(home, 'host-worker', { at: at(1), reason: 'refused' });
	await recordTemporal(home, 'host-worker', { at: at(2) });
	await recordTemporal(home, 'host-worker', { at: at(3), reason: 'killed meanwhile' }, dead.child.pid);
	await recordTemporal(home, 'control-worker', { at: at(4), reason: 'killed' }, dead.child.pid);
	await appendFile(join(places.services(home), 'host-worker-temporal.jsonl'), '{"at":"cut o');
	await recordTemporal(home, 'host-worker', { at: at(5), reason: 'refused again' });
	await dead.end();
	const told = (await readOutages(home)).map(({ worker, since, until, reason, current }) => {
		const times = `${Date.parse(since) / 1000}-${until === undefined ? '' : Date.parse(until) / 1000}`;
		return `${worker} ${times} ${reason}${current ? ', still' : ''}`;
	});
	assert.deepEqual(told.toSorted(), [
		'control-worker 4- killed',
		'host-worker 1-2 refused',
		'host-worker 3- killed meanwhile',
		'host-worker 5- refused again, still',
	]);
});
