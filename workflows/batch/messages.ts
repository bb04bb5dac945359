/** What a batch can be told and asked. Set before the first await: a signal may be older than the run. */
import { log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import { batchLimits } from '../../model/batch.ts';
import { type ErrorCode, errorCodes } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { nameSchema } from '../../model/names.ts';
import { phaseSchema } from '../../model/recovery.ts';
import {
	batchViewQuery,
	cancelBatchUpdate,
	discardBatchUpdate,
	itemNewsSignal,
	retryBatchUpdate,
} from '../batch-contracts.ts';
import { failureOf } from '../failures.ts';
import { countDiscarded, countRetried } from './orders.ts';
import type { BatchRun } from './run.ts';
import { viewOf } from './view.ts';

export const askedFields = { by: z.string().max(100), reason: z.string().max(500).optional() };
/** Names of machines of the batch. */
export const foundField = z.array(nameSchema).max(batchLimits.items);
export const askedSchema = z.strictObject(askedFields);
const retrySchema = askedSchema.extend({ again: foundField.optional() });
const discardSchema = askedSchema.extend({ confirm: z.string(), found: foundField.optional() });

export const newsSchema = z.object({
	item: z.string(),
	recoveryId: z.uuid(),
	number: z.int().min(0),
	is: z.enum(['ready', 'not_ready', 'parked', 'unparked', 'ended']),
	parked: z.boolean(),
	phase: phaseSchema,
	code: z.enum(errorCodes).nullable(),
	reason: z.string().nullable(),
});

export function takeMessages(run: BatchRun): void {
	setHandler(batchViewQuery, () => viewOf(run.layout, run.state));
	setHandler(itemNewsSignal, told => {
		const parsed = newsSchema.safeParse(told);
		if (parsed.success) run.happens({ type: 'news', news: parsed.data });
		else log.warn('news of a recovery that cannot be read was left out', { issues: refusalText(parsed.error) });
	});
	setHandler(cancelBatchUpdate, asked => run.happens({ type: 'cancel', asked }), {
		validator: asked => checkOrder(askedSchema, asked),
	});
	setHandler(
		retryBatchUpdate,
		({ again = [], ...asked }) => {
			const count = countRetried(run.layout, run.state, again);
			run.happens({ type: 'retry', asked, again });
			return count;
		},
		{
			validator: order => {
				checkOrder(retrySchema, order);
				refuseStrangers(run, order.again);
			},
		},
	);
	setHandler(
		discardBatchUpdate,
		({ confirm: _confirmed, found = [], ...asked }) => {
			run.happens({ type: 'discard', asked, found });
			return countDiscarded(run.state);
		},
		{
			validator: order => {
				checkOrder(discardSchema, order);
				const { name } = run.layout.plan;
				if (order.confirm !== name) refuse('usage', `confirmed as "${order.confirm}", but the batch is "${name}"`);
				refuseStrangers(run, order.found);
			},
		},
	);
}

function refuseStrangers({ layout: { plan, indexOf } }: BatchRun, names: readonly string[] = []): void {
	const stranger = names.find(each => !indexOf.has(each));
	if (stranger !== undefined) refuse('usage', `${stranger} is no machine of batch ${plan.name}`);
}

/** Validators are synchronous and throw nothing but ApplicationFailure: anything else fails the task for ever. */
export function checkOrder(schema: z.ZodType, order: unknown): void {
	const parsed = schema.safeParse(order);
	if (!parsed.success) refuse('usage', `not taken as it was given: ${refusalText(parsed.error)}`);
}

function refuse(code: ErrorCode, message: string): never {
	throw failureOf({ code, message });
}
