import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import type { Target } from '../contract.ts';
import { anew, type Bench } from './bench.ts';

export async function madeTargets(bench: Bench): Promise<Target[]> {
	return anew(bench, async machine => {
		await machine.makeTargets();
		return machine.openTargets();
	});
}

/** Fills the targets with the base, as the migration mover does it. */
export async function restoreTargets(bench: Bench): Promise<void> {
	const targets = await anew(bench, machine => machine.openTargets());
	for (const [index, content] of bench.base.entries()) await writeAt(targets[index], 0, content);
}

export async function targetReads(bench: Bench, disk: number): Promise<Buffer> {
	const targets = await anew(bench, machine => machine.openTargets());
	return readAt(targets[disk], 0, bench.base[disk]?.length ?? 0);
}

/** At a place of the disk, durably. */
export async function writeAt(target: Target | undefined, offsetBytes: number, bytes: Buffer): Promise<void> {
	assert.ok(target);
	const file = await open(target.path, 'r+');
	try {
		await file.write(bytes, 0, bytes.length, target.offsetBytes + offsetBytes);
		await file.datasync();
	} finally {
		await file.close();
	}
}

export async function readAt(target: Target | undefined, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
	assert.ok(target);
	const file = await open(target.path, 'r');
	try {
		const { bytesRead, buffer } = await file.read(
			Buffer.alloc(lengthBytes),
			0,
			lengthBytes,
			target.offsetBytes + offsetBytes,
		);
		assert.equal(bytesRead, lengthBytes, `${target.path} ends too early`);
		return buffer;
	} finally {
		await file.close();
	}
}
