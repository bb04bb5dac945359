/** What a schema says of a value, as far as a script's text can be held to it: its fields, and those of its items. */
import * as z from 'zod';

export interface Shape {
	/** Of an object. */
	fields: ReadonlyMap<string, Shape> | undefined;
	required: readonly string[];
	/** Of a list. */
	items: Shape | undefined;
	/** An object whose keys are data. */
	keyed: boolean;
	nullable: boolean;
}

const documentSchema = z.looseObject({
	type: z.union([z.string(), z.array(z.string())]).optional(),
	get properties() {
		return z.record(z.string(), documentSchema).optional();
	},
	required: z.array(z.string()).optional(),
	get items() {
		return documentSchema.optional();
	},
	get anyOf() {
		return z.array(documentSchema).optional();
	},
});
type Document = z.output<typeof documentSchema>;

export function shapeOf(schema: z.ZodType): Shape {
	return fromDocument(documentSchema.parse(z.toJSONSchema(schema, { unrepresentable: 'any' })));
}

function fromDocument(document: Document): Shape {
	const [only, ...more] = document.anyOf?.filter(({ type }) => type !== 'null') ?? [];
	const nullable = document.anyOf?.some(({ type }) => type === 'null') ?? document.type?.includes('null') ?? false;
	if (only && more.length === 0) return { ...fromDocument(only), nullable };
	return {
		fields:
			document.properties && new Map(Object.entries(document.properties).map(([key, of]) => [key, fromDocument(of)])),
		required: document.required ?? [],
		items: document.items && fromDocument(document.items),
		keyed: document.type === 'object' && document.properties === undefined,
		nullable,
	};
}
