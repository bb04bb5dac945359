import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { findInterrupted } from '../../repository/import/find-interrupted.ts';
import { announceImport, readIntent } from '../../repository/import/intent.ts';
import { readPoint } from '../../repository/points.ts';
import { announcedMoment } from '../../sources/machine/announced.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { leftoversOf } from '../../sources/machine/steps/leftovers.ts';
import { beginSwept, sweep } from '../../sources/machine/steps/sweep.ts';
import { Faults } from '../../sources/simulated-machine/faults.ts';
import { begun, block, imported, name, ordered, signal, site, tagsLeft } from '../equipment/machine-import-site.ts';
import { noise } from '../equipment/repositories.ts';

test('`sweep` ends what earlier imports have left, fences those that had announced themselves, and keeps the latest checkpoint', async t => {
	const places = await site(t);
	const first = await imported(places);
	const never = await begun(places);
	await places.machine.write('disk-0', 0, noise(block, 7));
	const cut = await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'read', does: 'source_unreachable' }]);
	await assert.rejects(copyMoment(places, cut), { code: 'source_unreachable' });
	const order = await ordered(places);
	assert.deepEqual(
		new Set((await leftoversOf(places, name)).map(({ tag }) => tag)),
		new Set([never.order.tag, cut.order.tag]),
	);
	assert.deepEqual(await sweep(places, order), { ended: 2, left: [] });
	assert.deepEqual(new Set(await tagsLeft(places)), new Set([first.tag]));
	assert.deepEqual(await leftoversOf(places, name), []);
	assert.equal(await places.repository.store.size(keys.intent(cut.order.tag), signal), undefined);
	assert.notEqual(
		await places.repository.store.size(keys.point(name, cut.order.time), signal),
		undefined,
		'it is fenced',
	);
});

test('`sweep` makes up for a commit that failed, and leaves the moment of its own import alone', async t => {
	const places = await site(t);
	const first = await imported(places);
	const second = await begun(places);
	await copyMoment(places, second);
	const own = await begun(places);
	assert.deepEqual(await sweep(places, own.order), { ended: 1, left: [] });
	assert.deepEqual(new Set(await tagsLeft(places)), new Set([second.order.tag, own.order.tag]));
	assert.notEqual(first.tag, second.order.tag);
});

test('`sweep` tells what it could not take away, and goes on with the rest', async t => {
	const places = await site(t);
	await begun(places);
	await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'abandon', does: 'access_denied' }]);
	const { ended, left } = await sweep(places, await ordered(places));
	assert.deepEqual([ended, left.length], [1, 1]);
	assert.match(left[0] ?? '', /^import [0-9a-f-]{36}: a simulated source fails at abandon/);
});

test('`sweep` commits the latest point, whose own commit may have failed, also when nothing else is there', async t => {
	const places = await site(t);
	const first = await begun(places);
	await copyMoment(places, first);
	await new Faults(places.machine.files.faults).set([{ at: 'commit', does: 'access_denied' }]);
	const { left } = await sweep(places, await ordered(places));
	assert.match(left.join('\n'), /^what earlier points have left: a simulated source fails at commit$/);
	assert.deepEqual(await sweep(places, await ordered(places)), { ended: 0, left: [] });
	assert.deepEqual(await tagsLeft(places), [first.order.tag]);
});

test('`beginSwept` takes away what an import has left that came behind the sweep, when something is in its way', async t => {
	const places = await site(t);
	const late = await begun(places);
	const order = await ordered(places);
	await new Faults(places.machine.files.faults).set([{ at: 'begin', does: 'source_busy' }]);
	const moment = await beginSwept(places, order);
	assert.equal(moment.tag, order.tag);
	assert.ok(!(await tagsLeft(places)).includes(late.order.tag));
	await new Faults(places.machine.files.faults).set([{ at: 'begin', does: 'source_busy' }]);
	await assert.rejects(beginSwept(places, order), { code: 'source_busy' }, 'nothing of ours is in its way');
});

test('`leftoversOf` says of what no import takes away: the machine at the address is another one, or gone', async t => {
	const places = await site(t);
	await begun(places);
	const canDelete = async () => (await leftoversOf(places, name)).map(leftover => leftover.canDelete);
	assert.deepEqual(await canDelete(), [true]);
	await places.machine.become('machine-2');
	assert.deepEqual(await canDelete(), [false]);
	await rm(places.machine.files.machine);
	assert.deepEqual(await canDelete(), [false]);
});

test('what an import from a source that keeps nothing has announced is left over, and swept; what a command has announced stays', async t => {
	const places = await site(t);
	const { store } = places.repository;
	const first = await imported(places);
	await places.machine.write('disk-0', 0, noise(block, 7));
	const cut = await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'read', does: 'source_unreachable' }]);
	await assert.rejects(copyMoment(places, cut), { code: 'source_unreachable' });
	await places.source.abandon(cut.order); // as one that has nothing to take away
	const intent = await readIntent(store, cut.order.tag);
	assert.ok(intent);
	const ofCommand = { ...intent, importId: randomUUID(), moment: 'a file as it was', base: null };
	const { startedAt: _at, hostname: _host, pid: _pid, ...scope } = ofCommand;
	await announceImport(store, scope);

	const [left, ...more] = await leftoversOf(places, name);
	assert.deepEqual([left?.tag, left?.canDelete, more], [cut.order.tag, true, []]);
	assert.match(left?.what ?? '', new RegExp(`keeps point ${first.time}`));
	const { machine, moment, disks, chunkSizeBytes, frameSizeBytes, base } = intent;
	assert.ok(moment !== null);
	const same = { machine, disks, chunkSizeBytes, frameSizeBytes, base };
	const isGone = async () => true;
	assert.equal(await findInterrupted(store, { ...same, moment: cut.moment.moment ?? '' }, { isGone }), undefined);
	assert.deepEqual(await sweep(places, await ordered(places)), { ended: 1, left: [] });
	assert.deepEqual(await leftoversOf(places, name), []);
	assert.equal(await store.size(keys.intent(cut.order.tag)), undefined);
	assert.notEqual(await store.size(keys.intent(ofCommand.importId)), undefined);
	assert.notEqual(await store.size(keys.point(name, cut.order.time)), undefined, 'it is fenced');
});

test('`sweep` takes away what an import has announced that made its point and died, and the point stays', async t => {
	const places = await site(t);
	const { store } = places.repository;
	const copy = await begun(places);
	await copyMoment(places, copy);
	await commitMoment(places, copy.order);
	const moment = announcedMoment(copy.order.owner, copy.moment.moment);
	const { tag: importId, time } = copy.order;
	const sizes = { chunkSizeBytes: block, frameSizeBytes: block, disks: [{ sizeBytes: block }] };
	await announceImport(store, { importId, machine: name, time, moment, base: null, ...sizes });
	assert.deepEqual(await sweep(places, await ordered(places)), { ended: 1, left: [] });
	assert.equal(await store.size(keys.intent(importId)), undefined);
	assert.deepEqual(await tagsLeft(places), [importId]);
	assert.equal((await readPoint(places.repository, name, time)).manifest.importId, importId);
});

test('an import that an earlier version has announced, by the bare name of its moment, is gone on with', async t => {
	const places = await site(t);
	const { store } = places.repository;
	const copy = await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'read', does: 'source_unreachable' }]);
	await assert.rejects(copyMoment(places, copy), { code: 'source_unreachable' });
	const {
		startedAt: _at,
		hostname: _host,
		pid: _pid,
		...scope
	} = (await readIntent(store, copy.order.tag)) ?? assert.fail();
	await store.delete(keys.intent(copy.order.tag));
	await announceImport(store, { ...scope, moment: copy.moment.moment });
	const { restorePoint } = await copyMoment(places, copy);
	assert.equal((await readPoint(places.repository, name, restorePoint)).manifest.importId, copy.order.tag);
	assert.equal(await store.size(keys.intent(copy.order.tag)), undefined);
});

test('`sweep` removes no announcement where a feature of the repository forbids it to delete, and says so', async t => {
	const places = await site(t);
	const { store } = places.repository;
	const cut = await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'read', does: 'source_unreachable' }]);
	await assert.rejects(copyMoment(places, cut), { code: 'source_unreachable' });
	const made = await begun(places);
	const { restorePoint } = await copyMoment(places, made);
	const intent = await readIntent(store, cut.order.tag);
	assert.ok(intent);
	const { startedAt: _at, hostname: _host, pid: _pid, ...scope } = intent;
	await announceImport(store, { ...scope, importId: made.order.tag, time: restorePoint });
	await store.putExclusive('features/delete/x', Buffer.alloc(0));
	const { left } = await sweep(places, await ordered(places));
	assert.deepEqual(
		left.map(line => /must not remove anything/.test(line)),
		[true, true],
	);
	for (const { tag } of [cut.order, made.order]) assert.notEqual(await store.size(keys.intent(tag)), undefined);
	assert.ok(!(await tagsLeft(places)).includes(cut.order.tag), 'its moment is in the way of nobody');
});
