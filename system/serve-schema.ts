import { isIP } from 'node:net';
import * as z from 'zod';
import { nameSchema } from '../model/names.ts';

const port = z.int().min(1).max(65_535);

/** `serve` of config.yaml: the address of this machine at which hosts elsewhere reach it, and a port for each thing. */
export const serveSchema = z.strictObject({
	/** One that hosts elsewhere can be told, so not "all of them". */
	address: z
		.string()
		.refine(text => isIP(text) !== 0, 'is no address as 192.0.2.10')
		.refine(text => !['0.0.0.0', '::'].includes(text), 'is every address: name the one that hosts elsewhere reach'),
	/** Of the embedded Temporal server's door for hosts. */
	temporal: port.optional(),
	/** By the name of the repository. */
	repositories: z.record(nameSchema, port).default({}),
});
export type Serve = z.infer<typeof serveSchema>;

/** What of `serve` cannot be beside the rest of the configuration. */
export function refuseServed(
	config: {
		serve?: Serve | undefined;
		repositories: Readonly<Record<string, string>>;
		temporal: { address?: string | undefined };
	},
	context: z.RefinementCtx,
): void {
	const { serve, repositories, temporal } = config;
	if (serve === undefined) return;
	const say = (path: string[], message: string) =>
		context.addIssue({ code: 'custom', path: ['serve', ...path], message });
	if (serve.temporal !== undefined && temporal.address !== undefined)
		say(['temporal'], 'is of the embedded server, and temporal.address names one elsewhere');
	const taken = new Map<number, string>();
	if (serve.temporal !== undefined) taken.set(serve.temporal, 'serve.temporal');
	for (const [name, at] of Object.entries(serve.repositories)) {
		const path = ['repositories', name];
		if (!Object.hasOwn(repositories, name)) say(path, 'is not among `repositories`, which say where it is');
		const other = taken.get(at);
		if (other !== undefined) say(path, `has the port of ${other}`);
		taken.set(at, `serve.repositories.${name}`);
	}
}
