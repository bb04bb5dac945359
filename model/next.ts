import * as z from 'zod';
import type { ErrorDocument } from './errors.ts';

/** What a person can order. The power of a machine is ordered of its recovery or, once that is finished, of its host. */
export const orderSchema = z.enum(['migrate', 'switch', 'discard', 'retry', 'power-on', 'power-off', 'power-reset']);
export type Order = z.infer<typeof orderSchema>;

/**
 * What is to be done next, as data: whoever shows it makes a sentence or a button of it. Read for what is known of it, like
 * the answers that it is a part of.
 */
export const nextSchema = z.object({
	order: orderSchema,
	/** What has to be mended before the order, in words that name no command. */
	first: z.string().optional(),
});
export type Next = z.infer<typeof nextSchema>;

/** A command is right for whoever typed one, not for everybody who reads what was kept. */
const namesCommand = /\brouse [a-z]/;

/** What to do about an error: the order that its details name (`next`), else to try again once its hint was followed. */
export function nextAfter({ hint, details }: Pick<ErrorDocument, 'hint' | 'details'>): Next {
	const order = orderSchema.safeParse(details?.['next']).data ?? 'retry';
	return !hint || namesCommand.test(hint) ? { order } : { order, first: hint };
}
