import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { AgentRun, AgentRunLimits, CallOptions } from '../contract.ts';
import { askAgent } from '../../qmp/agent.ts';

const startedSchema = z.object({ return: z.object({ pid: z.int().min(0) }) });
const statusSchema = z.object({
	return: z.object({
		exited: z.boolean(),
		exitcode: z.int().optional(),
		signal: z.int().optional(),
		'out-data': z.string().optional(),
		'err-data': z.string().optional(),
	}),
});
const refusedSchema = z.object({ error: z.object({ desc: z.string().max(1_000) }) });

/** The agent keeps 16 MiB of each stream (qga/commands.c, GUEST_EXEC_MAX_OUTPUT); whatever says more is no test. */
const mostAnswerBytes = 1024 * 1024;
/** An answer may take what is left of the limit, as its disk may be read from a repository; and never less than this. */
const leastMs = 1_000;

/**
 * `guest-exec` and then `guest-exec-status` until it has ended (https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html).
 * A connection for each question, since the channel serves one at a time, and readiness is asked over it as well.
 */
export async function agentRuns(
	path: string,
	[program = '', ...args]: readonly string[],
	{ timeoutMs, mostBytes, signal }: CallOptions & AgentRunLimits,
): Promise<AgentRun> {
	const end = performance.now() + timeoutMs;
	const ask = <S extends z.ZodType>(execute: string, given: Record<string, unknown>, schema: S) =>
		question(
			path,
			{ execute, arguments: given },
			{ schema, signal, withinMs: Math.max(leastMs, Math.ceil(end - performance.now())) },
		);
	const started = await ask('guest-exec', { path: program, arg: args, 'capture-output': true }, startedSchema);
	for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
		const { return: status } = await ask('guest-exec-status', { pid: started.return.pid }, statusSchema);
		if (status.exited) return ended(status, mostBytes);
		if (performance.now() >= end)
			throw new RouseError('timeout', `${program} has not ended in the guest after ${Math.round(timeoutMs / 1_000)} s`);
		await delay(waitMs, undefined, { signal });
	}
}

async function question<S extends z.ZodType>(
	path: string,
	command: { execute: string; arguments: Record<string, unknown> },
	{ schema, ...how }: { schema: S; signal: AbortSignal | undefined; withinMs: number },
): Promise<z.output<S>> {
	const answer = await askAgent(path, command, { ...how, mostBytes: mostAnswerBytes });
	const parsed = schema.safeParse(answer);
	if (parsed.success) return parsed.data;
	const refused = refusedSchema.safeParse(answer);
	const why = refused.success ? `says: ${refused.data.error.desc}` : 'does not answer as one, or at length';
	throw new RouseError('not_ready', `${command.execute}: the guest's agent ${why}`);
}

function ended(status: z.output<typeof statusSchema>['return'], mostBytes: number): AgentRun {
	const text = (data: string | undefined) => Buffer.from(data ?? '', 'base64').toString('utf8');
	const output = `${text(status['out-data'])}${text(status['err-data'])}`.slice(-mostBytes);
	// As shells have it where a signal has ended it.
	const exitCode = status.exitcode ?? (status.signal === undefined ? 0 : 128 + status.signal);
	return { exitCode, output };
}
