/**
 * A repository with every kind of object, one of which is damaged: no reader takes wrong bytes, whatever does not need it is read
 * as ever, `verifyRepository` names it, and importing the machines again heals.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { keys } from '../../repository/format/keys.ts';
import { readPoint } from '../../repository/points.ts';
import { openStore, type Repository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { verifyRepository } from '../../repository/verify/repository.ts';
import {
	type StoredMachine,
	storedMachines,
	storeOf,
	type WholeRepository,
	wholeRepository,
} from '../equipment/damage/whole-repository.ts';
import { importDisks } from '../equipment/repositories.ts';
import { Random } from '../equipment/seeds/random.ts';

/** Trials of each kind of damage; more of them by the environment: `ROUSE_TEST_DAMAGE=1000`. */
const flips = Number(process.env['ROUSE_TEST_DAMAGE'] ?? 150);
const cuts = Math.ceil(flips / 5);

const damageCodes: readonly string[] = ['chunk_bad', 'chunk_missing', 'format_damaged'];

/** What reading a point came to: true, or the code by which damage was named. Wrong bytes fail the test. */
async function read(repository: Repository, { machine, time, disks }: StoredMachine): Promise<true | string> {
	try {
		const { manifest } = await readPoint(repository, machine, time);
		const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
		for (const [number, image] of manifest.disks.entries()) {
			const expected = disks[number] ?? assert.fail();
			assert.equal(image.sizeBytes, expected.sizeBytes);
			let readBytes = 0;
			for await (const { index, bytes } of diskChunks(chunks, new DiskReader(chunks, image), { class: 'mount' })) {
				const right = Buffer.alloc(bytes.length);
				await expected.read(index * image.chunkSizeBytes, right);
				assert.ok(bytes.equals(right), `chunk ${index} of disk${number} of ${machine}@${time}`);
				readBytes += bytes.length;
			}
			assert.equal(readBytes, image.dataBytes);
		}
		return true;
	} catch (error) {
		if (error instanceof RouseError) return error.code;
		throw error;
	}
}

/** Another point of each machine with what its latest had. */
async function importAgain(repository: Repository): Promise<void> {
	for (const { machine, disks } of storedMachines.slice(1))
		await importDisks(repository, disks, { machine, time: '2026-11-25T03:00:00.000Z', packBytes: 16_384 });
}

interface Damage {
	key: string;
	/** Undefined: it is gone. */
	bytes: Buffer | undefined;
	what: string;
}

async function tryDamage(whole: WholeRepository, { key, bytes, what }: Damage): Promise<void> {
	const objects = new Map(whole.objects);
	if (bytes === undefined) objects.delete(key);
	else objects.set(key, bytes);
	const store = await storeOf(objects);
	const repository = await openStore(store);
	const isPack = key.startsWith(keys.packs);

	const before: (true | string)[] = [];
	for (const stored of storedMachines) {
		const came = await read(repository, stored);
		before.push(came);
		if (key === keys.point(stored.machine, stored.time))
			assert.equal(came, bytes === undefined ? 'point_unknown' : 'format_damaged', what);
		else assert.ok(came === true || (isPack && damageCodes.includes(came)), `${what}: ${came}`);
	}
	const { findings, damaged } = await verifyRepository(repository);
	if (bytes !== undefined)
		assert.ok(
			findings.some(one => one.key === key && (one.kind === 'damage' || one.code === 'chunk_replaced')),
			`${what} is not named`,
		);
	else assert.deepEqual(damaged === 0, !isNamedWhenGone(key, before), what);

	await importAgain(repository);
	for (const [number, { machine, time, disks }] of storedMachines.entries()) {
		if (number === 0) continue; // an older point: what it alone had nobody imports
		assert.equal(await read(repository, { machine, time: '2026-11-25T03:00:00.000Z', disks }), true, what);
		// A page that is damaged is made anew only where it comes out as it was: chunks may lie elsewhere by now.
		if (key !== keys.point(machine, time) && !whole.pages.has(key))
			assert.equal(await read(repository, { machine, time, disks }), true, what);
	}
}

/** Of what is gone nobody knows that it was there, but for the header and what a point needs. */
function isNamedWhenGone(key: string, points: readonly (true | string)[]): boolean {
	return key === keys.header || (key.startsWith(keys.packs) && points.some(came => came !== true));
}

/** Each kind as often as the others, however few of it there are. */
function choose(random: Random, objects: ReadonlyMap<string, Buffer>): [key: string, bytes: Buffer] {
	const kinds = Map.groupBy(objects, ([key]) => key.split('/')[0] ?? '');
	const kind = random.pick([...kinds.values()]);
	return random.pick(kind);
}

test(`${flips} flipped bits: no wrong byte is read, the object is named, and importing again heals`, async () => {
	const whole = await wholeRepository();
	const random = new Random(1);
	for (let trial = 0; trial < flips; trial++) {
		const [key, bytes] = choose(random, whole.objects);
		const flipped = Buffer.from(bytes);
		const bit = random.below(bytes.length * 8);
		flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
		await tryDamage(whole, {
			key,
			bytes: flipped,
			what: `bit ${bit} of ${key} (${bytes.length} bytes), trial ${trial}`,
		});
	}
});

test(`${cuts} objects cut off or gone: no wrong byte is read, and importing again heals`, async () => {
	const whole = await wholeRepository();
	const random = new Random(2);
	for (let trial = 0; trial < cuts; trial++) {
		const [key, bytes] = choose(random, whole.objects);
		const length = random.below(3) === 0 ? undefined : random.below(bytes.length);
		const left = length === undefined ? undefined : bytes.subarray(0, length);
		await tryDamage(whole, { key, bytes: left, what: `${length} of ${bytes.length} bytes of ${key}, trial ${trial}` });
	}
});
