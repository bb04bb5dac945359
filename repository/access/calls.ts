/** What control workers and hosts ask of a repository beside its chunks, and the words in which a child is asked. */
import * as z from 'zod';
import { digestSchema } from '../../model/chunk.ts';
import { errorDocumentSchema } from '../../model/error-document.ts';
import { machineNameSchema } from '../../model/machine.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { manifestSchema } from '../format/manifest.ts';
import { type PinList, pinSchema } from '../pins.ts';
import type { RestorePoint } from '../points.ts';

const newPinSchema = pinSchema.omit({ pinnedAt: true });
export type NewPin = z.infer<typeof newPinSchema>;

/**
 * Every call opens the repository, which is named by its directory: what is kept open is also kept after the repository
 * was moved away. An aborted signal ends the waiting; what was asked for may still be done.
 */
export interface RepositoryAccess {
	/** Throws what `openRepository` and `readPoint` throw. */
	readPoint(repository: string, machine: string, restorePoint: string, signal?: AbortSignal): Promise<RestorePoint>;
	/** As `pinPoint`. */
	pin(repository: string, pin: NewPin, signal?: AbortSignal): Promise<void>;
	/** As `unpinPoint`. */
	unpin(repository: string, recoveryId: string, signal?: AbortSignal): Promise<void>;
	/** As `listPins`. */
	listPins(repository: string, signal?: AbortSignal): Promise<PinList>;
}

/** One line of a child's standard input. */
export const callSchema = z.discriminatedUnion('do', [
	z.strictObject({
		do: z.literal('read-point'),
		id: z.int(),
		repository: z.string(),
		machine: machineNameSchema,
		restorePoint: pointTimeSchema,
	}),
	z.strictObject({ do: z.literal('pin'), id: z.int(), repository: z.string(), pin: newPinSchema }),
	z.strictObject({ do: z.literal('unpin'), id: z.int(), repository: z.string(), recoveryId: z.uuid() }),
	z.strictObject({ do: z.literal('list-pins'), id: z.int(), repository: z.string() }),
]);
export type Call = z.infer<typeof callSchema>;

/** One line of its standard output; in the order in which the calls end. */
export const answerSchema = z.strictObject({
	id: z.int(),
	result: z.unknown().optional(),
	error: errorDocumentSchema.optional(),
});
export type Answer = z.infer<typeof answerSchema>;

export const restorePointSchema = z.strictObject({ manifest: manifestSchema, manifestDigest: digestSchema });
