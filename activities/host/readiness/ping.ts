import { runTool } from '../../../system/run-tool.ts';

export interface AskOptions {
	withinMs: number;
	signal: AbortSignal;
}

/** Why an address does not answer; undefined when it does. By the system's program: Node has no ICMP, and no right to it. */
export async function askByPing(address: string, { withinMs, signal }: AskOptions): Promise<string | undefined> {
	const seconds = String(Math.max(1, Math.ceil(withinMs / 1_000) - 1));
	// ping(8): exit code 1 when nobody answers, 2 for another error.
	const { code, tail } = await runTool('ping', ['-n', '-q', '-c', '1', '-W', seconds, address], {
		hint: 'apt-get install iputils-ping',
		wholeMs: withinMs + 1_000,
		signal,
	});
	if (code === 0) return undefined;
	return code === 1 ? `${address} does not answer to ping` : `ping ${address}: ${tail.at(-1) ?? `exit code ${code}`}`;
}
