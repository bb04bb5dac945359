/**
 * One step of an import from a simulated machine, in a process of its own: `machine-step-child.ts REPOSITORY MACHINE STEP INPUT`
 * takes JSON, and says JSON. With ROUSE_TEST_KILL_AT it kills itself at a place of the source or of the repository's import.
 */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { openRepository } from '../../repository/repository.ts';
import { sourceMomentSchema } from '../../sources/machine/documents.ts';
import { importOrderSchema } from '../../sources/machine/order.ts';
import { beginMoment } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import type { StepPlaces } from '../../sources/machine/steps/places.ts';
import { SimulatedMachineSource } from '../../sources/simulated-machine/source.ts';
import { reachedFromEnvironment } from '../../system/reached.ts';

const wishSchema = z.strictObject({ importId: z.uuid(), machine: z.string(), now: z.iso.datetime() });
const copySchema = z.strictObject({ order: importOrderSchema, moment: sourceMomentSchema });

async function doStep(step: string, places: StepPlaces, input: unknown): Promise<unknown> {
	switch (step) {
		case 'order': {
			const { now, ...wish } = wishSchema.parse(input);
			return makeOrder(places, { ...wish, spec: {}, now: new Date(now) });
		}
		case 'begin':
			return beginMoment(places, importOrderSchema.parse(input));
		case 'copy':
			return copyMoment(places, copySchema.parse(input), { packBytes: 150_000, reached });
		case 'commit':
			return commitMoment(places, importOrderSchema.parse(input));
		case 'give-up':
			return giveUp(places, importOrderSchema.parse(input));
		default:
			throw new RouseError('internal', `there is no step ${step}`);
	}
}

const reached = reachedFromEnvironment();
const [repository = '', machine = '', step = '', input = 'null'] = process.argv.slice(2);
const opened = await openRepository(repository);
const places = {
	source: new SimulatedMachineSource(machine, { reached }),
	repository: opened,
	signal: new AbortController().signal,
};
const said = await doStep(step, places, JSON.parse(input));
await opened.store.close();
process.stdout.write(JSON.stringify(said ?? null));
