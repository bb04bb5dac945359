/** A machine by its archives, from a stub of Google: what is described, pinned, lost and imported. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readSourceFacts } from '../../model/source-facts.ts';
import { readPoint } from '../../repository/points.ts';
import type { GceArchives } from '../../sources/gce/source.ts';
import { Spool } from '../../sources/gce/spool.ts';
import { ownerOf } from '../../sources/machine/owner.ts';
import { beginMoment, isReady } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import { sweep } from '../../sources/machine/steps/sweep.ts';
import { GceSite } from '../equipment/gce/bench.ts';
import { sampleResources } from '../equipment/gce/instances.ts';
import { collect, importDisks, memoryRepository, noise, wholeSource } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const web = { bucket: 'exports', object: 'web01.tar.gz' };
const data = { bucket: 'exports', object: 'web01-data.tar.gz' };
const instance = { project: 'my-project', zone: 'europe-west3-a', instance: 'web01' };
const contents = [Buffer.concat([noise(2_000_000, 1), Buffer.alloc(1_000_000), noise(100_000, 2)]), noise(300_032, 3)];

async function siteOf(t: TestContext): Promise<GceSite> {
	const site = await GceSite.make();
	t.after(() => site.dispose());
	for (const [number, address] of [web, data].entries()) site.export(address, contents[number] ?? Buffer.alloc(0));
	for (const [path, resource] of sampleResources) site.google.resources.set(path, resource);
	return site;
}

async function placesOf(t: TestContext, site: GceSite, archives: Partial<GceArchives> = {}) {
	const source = site.source({ archives: [web], ...archives });
	t.after(() => source.close());
	return { source, repository: await memoryRepository(65_536), signal };
}

let minute = 0;
const wish = () => ({
	importId: randomUUID(),
	machine: 'web01',
	spec: {},
	now: new Date(Date.UTC(2026, 10, 21, 3, minute++)),
});

test('an import of a machine by its archives has their disks, the facts of its instance, and leaves nothing', async t => {
	const site = await siteOf(t);
	const places = await placesOf(t, site, { archives: [web, data], instance });
	const order = await makeOrder(places, wish());
	assert.equal(order.plan.consistency, 'none');
	assert.match(order.plan.cost ?? '', /are read: nothing in the bucket's region/);
	assert.match(order.plan.warnings.join('\n'), /of one time[^]*disk0 has .*10 GiB[^]*disk1 has .*200 GiB/);
	const moment = await beginMoment(places, order);
	assert.ok(await isReady(places, moment));
	await copyMoment(places, { order, moment });
	await commitMoment(places, order);
	const { manifest } = await readPoint(places.repository, 'web01', order.time);
	const plain = await memoryRepository(65_536);
	const { restorePoint } = await importDisks(plain, contents.map(wholeSource));
	const raw = (await readPoint(plain, 'web01', restorePoint)).manifest.disks;
	assert.deepEqual(
		manifest.disks.map(({ contentDigest }) => contentDigest),
		raw.map(({ contentDigest }) => contentDigest),
	);
	const { cpus, memoryMiB, firmware, vtpm, nics, origin } = manifest.config;
	assert.deepEqual(
		{ cpus, memoryMiB, firmware, vtpm, networks: nics.map(({ network }) => network), origin },
		{
			cpus: 2,
			memoryMiB: 8192,
			firmware: 'efi',
			vtpm: true,
			networks: ['web', 'backend'],
			origin: { kind: 'gce', detail: 'web01' },
		},
	);
	const facts = readSourceFacts(manifest.facts);
	assert.partialDeepStrictEqual(facts, {
		kind: 'gce',
		uri: 'gs://exports/web01.tar.gz',
		consistency: 'none',
		together: false,
		checkpoint: null,
		unknown: [],
	});
	assert.partialDeepStrictEqual(facts?.ids, { bucket: 'exports', instanceId: '42', 'label-env': 'prod' });
	assert.deepEqual(
		facts?.leftOut.map(({ what }) => what),
		['local-ssd-0'],
	);
});

test('an archive that is imported again is all there, and one that comes anew is read whole', async t => {
	const site = await siteOf(t);
	const places = await placesOf(t, site);
	for (const newBytes of [(contents[0]?.length ?? 0) - 1_000_000, 0]) {
		const order = await makeOrder(places, wish());
		assert.deepEqual([order.base, order.plan.consistency, order.plan.disks[0]?.reads], [null, 'crash', 'all']);
		const moment = await beginMoment(places, order);
		const result = await copyMoment(places, { order, moment });
		assert.ok(Math.abs(result.newBytes - newBytes) < 2 * 65_536, `${result.newBytes} are new`);
	}
});

test('an archive that is written anew: source_changed before it is begun, moment_lost after that, and given up without a trace', async t => {
	const site = await siteOf(t);
	const places = await placesOf(t, site);
	const first = await makeOrder(places, wish());
	site.google.objects.remove('exports/web01.tar.gz');
	site.export(web, noise(100_000, 5));
	await assert.rejects(beginMoment(places, first), { code: 'source_changed' });
	assert.equal(await giveUp(places, first), 'given-up');
	const second = await makeOrder(places, wish());
	const moment = await beginMoment(places, second);
	site.google.objects.remove('exports/web01.tar.gz');
	site.export(web, noise(100_000, 6));
	await assert.rejects(isReady(places, moment), { code: 'moment_lost' });
	// As Google says it to who may not list the bucket.
	site.google.faults.push({ at: 'description', status: 403, reason: 'forbidden' });
	await assert.rejects(isReady(places, moment), { code: 'moment_lost' });
	await assert.rejects(copyMoment(places, { order: second, moment }), { code: 'moment_lost' });
	assert.equal(await giveUp(places, second), 'given-up');
});

test('an import whose address is another by now is identity_conflict, and can be given up', async t => {
	const site = await siteOf(t);
	const places = await placesOf(t, site);
	const order = await makeOrder(places, wish());
	const moment = await beginMoment(places, order);
	assert.equal(order.owner, ownerOf(places.repository.id, 'web01', 'gs://exports/web01.tar.gz'));
	const moved = { ...places, source: site.source({ archives: [data] }) };
	t.after(() => moved.source.close());
	for (const work of [
		() => beginMoment(moved, order),
		() => isReady(moved, moment),
		() => copyMoment(moved, { order, moment }),
	])
		await assert.rejects(work, { code: 'identity_conflict' });
	assert.equal(await giveUp(moved, order), 'given-up');
});

test('an instance that is not there, or may not be looked at, is told before anything is read', async t => {
	const site = await siteOf(t);
	const places = await placesOf(t, site, { instance: { ...instance, instance: 'web02' } });
	await assert.rejects(makeOrder(places, wish()), {
		code: 'machine_unknown',
		message: /gce:\/\/my-project\/europe-west3-a\/web02/,
	});
	const untold = await placesOf(t, site, { instance });
	site.google.resources.delete('projects/my-project/zones/europe-west3-a/machineTypes/e2-standard-2');
	await assert.rejects(makeOrder(untold, wish()), { code: 'source_invalid', message: /is of a type/ });
	site.google.faults.push({ at: 'compute', status: 403, reason: 'forbidden' });
	await assert.rejects(makeOrder(places, wish()), { code: 'access_denied', message: /compute\.instances\.get/ });
	assert.equal(site.google.countOf('media'), 0);
});

test('with a spool an import keeps what it has fetched until it is committed, given up or swept, by whichever process', async t => {
	const site = await siteOf(t);
	const spool = () => new Spool(site.directory, { partBytes: 100_000 });
	const { repository } = await placesOf(t, site);
	const places = async () => ({ ...(await placesOf(t, site, { spool: spool() })), repository });
	const begun = async () => {
		const order = await makeOrder(await places(), wish());
		const moment = await beginMoment(await places(), order);
		assert.equal(moment.readAnew, undefined);
		const { source } = await (await places()).source.open(moment, moment.disks[0]?.key ?? '', {}, signal);
		await source.read(0, Buffer.alloc(1_500_000), signal);
		await source.close();
		return { order, moment };
	};
	const kept = async () => collect(spool().leftovers(undefined));
	const tags = async () => (await kept()).map(({ tag }) => tag).toSorted();
	const full = new Spool(site.directory, { freeBytesAt: async () => 1000 });
	const unread = await makeOrder(await places(), wish());
	assert.match((await makeOrder(await placesOf(t, site), wish())).plan.spool ?? '', /^none: .* six may read/);
	const there = join(site.directory, 'to-be-made', 'spool');
	const planned = await makeOrder(await placesOf(t, site, { spool: new Spool(there) }), wish());
	assert.match(planned.plan.spool ?? '', /^takes 2\.0\d MiB until it is imported, where \d.* are free$/);
	assert.deepEqual((await readdir(site.directory)).includes('to-be-made'), false, 'a plan changes nothing');
	await assert.rejects(beginMoment(await placesOf(t, site, { spool: full }), unread), { code: 'space_short' });
	const first = await begun();
	const second = await begun();
	assert.deepEqual(await tags(), [first.order.tag, second.order.tag].toSorted());
	const [one] = await kept();
	assert.partialDeepStrictEqual(one, { owner: first.order.owner, canDelete: true });
	assert.match(one?.what ?? '', /^\d.* MiB of archives in .*\/rouse-spool$/);
	assert.equal(await giveUp(await places(), second.order), 'given-up');
	assert.deepEqual(await tags(), [first.order.tag]);
	await copyMoment(await places(), first);
	assert.equal((await kept()).length, 1, 'nobody has said that its point is there');
	await commitMoment(await places(), first.order);
	assert.deepEqual(await kept(), []);
	const lost = await begun();
	const next = await makeOrder(await places(), wish());
	assert.deepEqual(await tags(), [lost.order.tag]);
	assert.deepEqual(await sweep(await places(), next), { ended: 1, left: [] });
	assert.deepEqual(await kept(), []);
});
