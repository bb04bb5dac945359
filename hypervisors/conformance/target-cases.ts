import assert from 'node:assert/strict';
import { asRouseError } from '../../model/errors.ts';
import type { Target } from '../contract.ts';
import { anew, type ConformanceCase } from './bench.ts';
import { startedGuest } from './started-guest.ts';
import { madeTargets, readAt, writeAt } from './targets.ts';

/** Targets as the movers meet them. */
export const targetCases: readonly ConformanceCase[] = [
	{
		name: '`makeTargets` done again keeps each target and what it holds',
		async run(bench) {
			const first = await madeTargets(bench);
			await writeAt(first[0], 4096, Buffer.alloc(512, 0x77));
			const second = await madeTargets(bench);
			assert.deepEqual(identities(second), identities(first));
			assert.ok(
				(await readAt(second[0], 4096, 512)).every(byte => byte === 0x77),
				'the target lost what was written',
			);
		},
	},
	{
		name: '`openTargets` gives disks of whole size that read zero where they say so',
		async run(bench) {
			const targets = await madeTargets(bench);
			assert.equal(targets.length, bench.definition.disks.length);
			assert.equal(new Set(identities(targets)).size, targets.length, 'two targets have one identity');
			for (const [index, target] of targets.entries()) {
				assert.match(target.identity, /^[\x21-\x7e]{1,64}$/);
				const bytes = await readAt(target, 0, bench.definition.disks[index]?.sizeBytes ?? 0);
				if (target.readsZero)
					assert.ok(
						bytes.every(byte => byte === 0),
						`disk${index} does not read zero`,
					);
			}
		},
	},
	{
		name: '`openTargets` names the same targets after a boot of the host',
		async run(bench) {
			const before = await madeTargets(bench);
			await writeAt(before[1], 0, Buffer.alloc(512, 0x42));
			await bench.fate.reboot();
			const after = await anew(bench, machine => machine.openTargets());
			assert.deepEqual(identities(after), identities(before));
			assert.ok(
				(await readAt(after[1], 0, 512)).every(byte => byte === 0x42),
				'the target lost what was written',
			);
		},
	},
	{
		name: '`openTargets` refuses a target that is gone, and makes no other in its place',
		async run(bench) {
			await madeTargets(bench);
			await bench.fate.loseTarget(0);
			for (let n = 0; n < 2; n++)
				await assert.rejects(
					anew(bench, machine => machine.openTargets()),
					(thrown: unknown) => asRouseError(thrown).code === 'identity_conflict',
				);
		},
	},
	{
		name: '`removeTargets` leaves nothing, and may be called again',
		async run(bench) {
			await startedGuest(bench);
			await anew(bench, machine => machine.remove());
			await anew(bench, machine => machine.removeTargets());
			await anew(bench, machine => machine.removeTargets());
			await assert.rejects(anew(bench, machine => machine.openTargets()));
		},
	},
];

function identities(targets: readonly Target[]): string[] {
	return targets.map(({ identity }) => identity);
}
