/** A simulated machine of two disks, a repository, and the steps of an import between them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { readSourceFacts, type SourceFacts } from '../../model/source-facts.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import type { SourceMoment } from '../../sources/machine/documents.ts';
import type { ImportOrder } from '../../sources/machine/order.ts';
import { beginMoment } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import type { StepPlaces } from '../../sources/machine/steps/places.ts';
import { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { SimulatedMachineSource } from '../../sources/simulated-machine/source.ts';
import { temporaryDirectory } from './captive.ts';
import { collect, memoryRepository, noise } from './repositories.ts';

export const { signal } = new AbortController();
export const block = 65_536;
export const name = 'web01';
const start = Date.parse('2026-11-20T03:00:00.000Z');

export interface Site extends StepPlaces {
	machine: MachineInDirectory;
	source: SimulatedMachineSource;
}

export async function site(t: TestContext): Promise<Site> {
	const directory = await temporaryDirectory(t);
	const machine = await MachineInDirectory.make(directory, {
		flavour: 'snapshots',
		identity: 'machine-1',
		name: 'a machine',
		config: { memoryMiB: 512 },
		leftOut: [{ what: 'cdrom', why: 'it is read-only' }],
		disks: [
			{ key: 'disk-0', sizeBytes: 4 * block },
			{ key: 'disk-1', sizeBytes: 2 * block },
		],
	});
	await machine.write('disk-0', 0, noise(3 * block, 1));
	await machine.write('disk-1', block, noise(block, 2));
	let ms = start;
	const now = () => new Date((ms += 1000));
	return {
		machine,
		source: new SimulatedMachineSource(directory, { now }),
		repository: await memoryRepository(block),
		signal,
	};
}

let minutes = 0;

/** A time of its own for each order. */
export const nextTime = () => new Date(start + ++minutes * 60_000);

export async function ordered(places: StepPlaces): Promise<ImportOrder> {
	return makeOrder(places, { importId: randomUUID(), machine: name, spec: {}, now: nextTime() });
}

export async function begun(places: StepPlaces): Promise<{ order: ImportOrder; moment: SourceMoment }> {
	const order = await ordered(places);
	return { order, moment: await beginMoment(places, order) };
}

export async function imported(places: StepPlaces): Promise<ImportOrder> {
	const copy = await begun(places);
	await copyMoment(places, copy);
	await commitMoment(places, copy.order);
	return copy.order;
}

export async function factsOf(repository: Repository, time: string): Promise<SourceFacts> {
	const facts = readSourceFacts((await readPoint(repository, name, time)).manifest.facts);
	assert.ok(facts);
	return facts;
}

export async function tagsLeft({ source }: Site): Promise<string[]> {
	return (await collect(source.leftovers(undefined))).map(({ tag }) => tag);
}
