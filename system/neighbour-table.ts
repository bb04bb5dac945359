/** Whom this host has talked to on an interface: ip-neighbour(8). */
import * as z from 'zod';
import { runTool } from './run-tool.ts';

/** As long as a bridge remembers whom it has heard: its ageing time. */
const recentS = 300;

const tableSchema = z.array(z.looseObject({ dst: z.string(), lladdr: z.string().optional(), confirmed: z.number() }));

/** IP addresses under which somebody with that MAC address has answered this host within five minutes. */
export async function answeredFrom(on: string, mac: string): Promise<string[]> {
	const { code, stdout } = await runTool('ip', ['-json', '-stats', 'neighbour', 'show', 'dev', on], {
		silenceMs: 10_000,
		hint: 'apt-get install iproute2',
	});
	return code === 0 ? recentlyAt(stdout, mac) : [];
}

export function recentlyAt(table: string, mac: string): string[] {
	const parsed = tableSchema.safeParse(JSON.parse(table === '' ? '[]' : table));
	return (parsed.data ?? [])
		.filter(({ lladdr, confirmed }) => lladdr === mac && confirmed <= recentS)
		.map(({ dst }) => dst);
}
