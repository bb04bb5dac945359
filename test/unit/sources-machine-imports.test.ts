import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Faults, faultPlaces, type Fault } from '../../sources/simulated-machine/faults.ts';
import { blockBytes as block } from '../../sources/simulated-machine/bitmaps.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { type ImportTrouble, ImportWorld } from '../equipment/import-world.ts';
import { memoryRepository, noise } from '../equipment/repositories.ts';

/** Pieces of a page; they begin and end within blocks. */
const pageBytes = 16_384;
const mostBlocks = 6;
/** Few, so that disks often have the same. */
const diskBytes = fc.constantFrom(1, 2 * block, 3 * block + 512, mostBlocks * block);

const change = fc.oneof(
	{
		weight: 5,
		arbitrary: fc.record({
			does: fc.constant('write' as const),
			disk: fc.nat(),
			at: fc.nat(),
			pages: fc.integer({ min: 1, max: 6 }),
			seed: fc.nat(),
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({
			does: fc.constant('discard' as const),
			disk: fc.nat(),
			at: fc.nat(),
			pages: fc.integer({ min: 1, max: 8 }),
		}),
	},
	fc.record({
		does: fc.constant('resize' as const),
		disk: fc.nat(),
		bytes: diskBytes,
	}),
	fc.record({ does: fc.constant('add' as const), bytes: diskBytes }),
	fc.record({ does: fc.constant('remove' as const), disk: fc.nat() }),
	fc.record({ does: fc.constant('crash' as const) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const fault: fc.Arbitrary<Fault> = fc.oneof(
	fc.record({
		at: fc.constantFrom(...faultPlaces),
		skip: fc.nat({ max: 6 }),
		does: fc.constant('source_unreachable' as const),
	}),
	fc.record({
		at: fc.constantFrom('extents' as const, 'read' as const),
		skip: fc.nat({ max: 12 }),
		does: fc.constantFrom('lose-moment' as const, 'lose-checkpoint' as const),
	}),
	fc.record({ at: fc.constant('ready' as const), does: fc.constantFrom('pending' as const, 'lose-moment' as const) }),
);

const round = fc.record({
	changes: fc.array(change, { maxLength: 5 }),
	faults: fc.array(fault, { maxLength: 3 }),
	lives: fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 3 }),
	between: fc.array(change, { maxLength: 2 }),
	beforeBegin: fc.array(change, { maxLength: 1 }),
});

/** No key is given twice. */
interface Numbers {
	added: number;
}

async function apply(world: ImportWorld, changes: readonly Change[], numbers: Numbers): Promise<void> {
	for (const one of changes) {
		const { disks } = await world.machine.describe();
		const pick = (wish: number) => disks[wish % disks.length]!;
		if (one.does === 'add') {
			if (disks.length < 3) await world.machine.addDisk(`disk-${numbers.added++}`, one.bytes);
		} else if (one.does === 'crash') await world.machine.crash();
		else if (one.does === 'resize') await world.resize(pick(one.disk).key, one.bytes);
		else if (one.does === 'remove') {
			if (disks.length > 1) await world.machine.removeDisk(pick(one.disk).key);
		} else {
			const { key, sizeBytes } = pick(one.disk);
			const offset = (one.at * pageBytes) % sizeBytes;
			const length = Math.min(one.pages * pageBytes, sizeBytes - offset);
			await world.write(key, offset, one.does === 'write' ? noise(length, one.seed) : Buffer.alloc(length));
		}
	}
}

for (const flavour of ['snapshots', 'bitmaps'] as const)
	test(`increments from a machine whose platform has ${flavour} are as its disks were, whatever fails and dies`, async t => {
		const directory = await temporaryDirectory(t);
		let runs = 0;
		const property = async (rounds: readonly Round[], chunkSizeBytes: number) => {
			const world = await ImportWorld.make(`${directory}/${runs++}`, flavour, await memoryRepository(chunkSizeBytes));
			const numbers = { added: 1 };
			await world.machine.addDisk('disk-0', mostBlocks * block);
			await world.write('disk-0', block, noise(3 * block, runs));
			for (const one of rounds) {
				await apply(world, one.changes, numbers);
				await new Faults(world.machine.files.faults).set(one.faults);
				await world.import(troubleOf(world, one, numbers));
			}
			// Whatever was before: after an import that nothing disturbed, the next one is an increment.
			await new Faults(world.machine.files.faults).set([]);
			await world.import(calm);
			await apply(world, lastChange, numbers);
			assert.deepEqual(new Set(await world.import(calm)), new Set(['changes']));
		};
		await fc.assert(
			fc.asyncProperty(fc.array(round, { minLength: 2, maxLength: 4 }), fc.constantFrom(block, 2 * block), property),
			{ numRuns: 8 },
		);
	});

const lastChange: readonly Change[] = [{ does: 'write', disk: 0, at: 1, pages: 2, seed: 77 }];

const calm: ImportTrouble = {
	lives: [],
	between: async () => {},
	beforeBegin: async () => {},
	losesCheckpoints: false,
};

type Round = typeof round extends fc.Arbitrary<infer T> ? T : never;

function troubleOf(
	world: ImportWorld,
	{ lives, between, beforeBegin, faults }: Round,
	numbers: Numbers,
): ImportTrouble {
	let isDisturbed = false;
	return {
		lives,
		between: () => apply(world, between, numbers),
		beforeBegin: async () => {
			if (!isDisturbed) await apply(world, beforeBegin, numbers);
			isDisturbed = true;
		},
		losesCheckpoints:
			faults.some(({ does }) => does.startsWith('lose-')) ||
			[...between, ...beforeBegin].some(({ does }) => does === 'crash'),
	};
}
