/** The cmdlets that the driver may use, from its tables. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';

const parameterSchema = z.strictObject({
	type: z.string(),
	required: z.boolean().default(false),
	values: z.array(z.string()).optional(),
});
export type Parameter = z.output<typeof parameterSchema>;

const setSchema = z.strictObject({
	name: z.string(),
	default: z.boolean().default(false),
	parameters: z.record(z.string(), parameterSchema),
});
export type ParameterSet = z.output<typeof setSchema>;

const fileSchema = z.object({
	source: z.string(),
	licence: z.string(),
	cmdlets: z.record(z.string(), z.strictObject({ page: z.string(), sets: z.array(setSchema).min(1) })),
});

export type Cmdlets = ReadonlyMap<string, readonly ParameterSet[]>;

const files = ['cmdlets.json', 'cmdlets-by-hand.json'];

/** https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_commonparameters */
export const commonParameters: readonly string[] = ['ErrorAction'];

export async function loadCmdlets(): Promise<Cmdlets> {
	const table = new Map<string, readonly ParameterSet[]>();
	for (const file of files) {
		const text = await readFile(new URL(`../../hypervisors/hyperv/driver/${file}`, import.meta.url), 'utf8');
		for (const [name, { sets }] of Object.entries(fileSchema.parse(JSON.parse(text)).cmdlets)) {
			if (table.has(name)) throw new Error(`${name} is in both tables`);
			table.set(name, sets);
		}
	}
	return table;
}
