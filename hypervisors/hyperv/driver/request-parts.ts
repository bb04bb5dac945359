/** What requests of the driver are made of: see requests.ts. */
import * as z from 'zod';
import { isGuid } from '../../../model/guid.ts';
import { macSchema } from '../../../model/machine.ts';

export const guid = z
	.string()
	.refine(text => isGuid(text) && text === text.toLowerCase(), 'must be a GUID in lower case');
export const bytes = z.int().min(0);
export const sectorBytes = z.union([z.literal(512), z.literal(4096)]);
/**
 * Without quotes, wildcards and streams, so that it means the same to every cmdlet, and one way of writing it alone, so that
 * paths are equal when their text is, upper and lower case aside: no `.` or `..`, no end of a name that Windows drops.
 */
export const windowsPath = z
	.string()
	.max(240)
	.regex(/^[A-Za-z]:(\\[^"*?<>|:[\]`$/\\\p{Cc}]*[^"*?<>|:[\]`$/\\\p{Cc} .])+$/u, 'must be an absolute path of Windows');

export const nicSchema = z.strictObject({
	name: z.string().min(1).max(80),
	mac: macSchema,
	/** Of a virtual switch; `null`: the link is down. */
	switchName: z.string().min(1).max(120).nullable(),
});

export function operation<Request extends z.core.$ZodLooseShape, Answer extends z.ZodType>(
	request: Request,
	answer: Answer,
) {
	return { request: z.strictObject(request), answer };
}
