import * as z from 'zod';

/** JSON of ids and numbers: neither long texts nor lists of extents. */
export type SmallJson =
	| string
	| number
	| boolean
	| null
	| readonly SmallJson[]
	| { readonly [name: string]: SmallJson };

const textSchema = z.string().regex(/^\P{C}{0,200}$/u);
const leafSchema = z.union([textSchema, z.number(), z.boolean(), z.null()]);

/** How deep arrays and objects nest. */
const mostDepth = 4;

function nested(depth: number): z.ZodType<SmallJson> {
	if (depth === 0) return leafSchema;
	const inner = nested(depth - 1);
	return z.union([
		leafSchema,
		z.array(inner).max(256),
		z.record(z.string().max(40), inner).refine(members => Object.keys(members).length <= 256),
	]);
}

/** At most so long when it is written down. */
export function smallJsonSchema(mostCharacters: number): z.ZodType<SmallJson> {
	return nested(mostDepth).refine(
		value => JSON.stringify(value).length <= mostCharacters,
		`has more than ${mostCharacters} characters as JSON`,
	);
}
