/** In what words a process is asked for a step of an import, and answers: JSON, a document a line. */
import * as z from 'zod';
import { errorDocumentSchema } from '../../model/error-document.ts';
import { importProgressSchema } from '../../model/import-view.ts';
import { machineNameSchema } from '../../model/machine.ts';
import { nameSchema } from '../../model/names.ts';
import { sourceMomentSchema } from '../machine/documents.ts';
import { importOrderSchema } from '../machine/order.ts';

/** Between what a step goes on. Names alone: what they mean, secrets too, each process looks up itself. */
export const importPlacesSchema = z.strictObject({
	/** Name of the source in config.yaml. */
	source: nameSchema,
	/** Directory of a repository that config.yaml names. */
	repository: z.string().min(1),
	/** Its id: the directory may have got another one. */
	repositoryId: z.uuid(),
});
export type ImportPlaces = z.infer<typeof importPlacesSchema>;

const anyCall = { home: z.string().min(1), places: importPlacesSchema };
const ofOrder = { ...anyCall, order: importOrderSchema };

/** The one line of a child's standard input; its end is the child's. */
export const callSchema = z.discriminatedUnion('do', [
	z.strictObject({ do: z.literal('plan'), ...anyCall, importId: z.uuid(), machine: machineNameSchema }),
	z.strictObject({ do: z.literal('sweep'), ...ofOrder }),
	z.strictObject({ do: z.literal('begin'), ...ofOrder }),
	z.strictObject({ do: z.literal('ready'), ...anyCall, moment: sourceMomentSchema }),
	z.strictObject({
		do: z.literal('copy'),
		...ofOrder,
		moment: sourceMomentSchema,
		maxRateBytes: z.int().min(1).nullable(),
	}),
	z.strictObject({ do: z.literal('commit'), ...ofOrder }),
	z.strictObject({ do: z.literal('give-up'), ...ofOrder }),
	z.strictObject({
		do: z.literal('leftovers'),
		home: anyCall.home,
		places: importPlacesSchema.omit({ repositoryId: true }),
		machine: machineNameSchema,
	}),
]);
export type Call = z.infer<typeof callSchema>;

/** Of the pipe on which a child answers: its standard output is for what libraries print. */
export const answersDescriptor = 3;

/** A line of that: that it waits, or how far it is, any number of times, and then one of the others. */
export const answerSchema = z.union([
	z.strictObject({ waits: z.literal(true) }),
	z.strictObject({ progress: importProgressSchema }),
	z.strictObject({ result: z.unknown() }),
	z.strictObject({ error: errorDocumentSchema }),
]);
export type Answer = z.infer<typeof answerSchema>;
