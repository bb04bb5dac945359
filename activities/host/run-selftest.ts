/** The self test of a host, which runs in a process of its own: nothing of a hypervisor is loaded here. */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RouseError } from '../../model/errors.ts';
import { selftestLineSchema, type SelftestProgress, type SelftestReport } from '../../model/selftest.ts';
import { checkoutDirectory, packageVersion } from '../../system/checkout.ts';
import { type Installation, places } from '../../system/installation.ts';

export interface SelftestRun {
	installation: Installation;
	env: NodeJS.ProcessEnv;
	long: boolean;
	/** When it is aborted the test stops, and removes what it has made before this returns. */
	signal: AbortSignal;
	tell: (line: SelftestProgress) => void;
	/** A test has another program in its place. */
	program?: string;
}

/** Exit code of flock(1) for "somebody holds it": the program ends with another. */
const lockHeldExit = 75;

const ownProgram = join(checkoutDirectory, 'hypervisors', 'hyperv', 'selftest', 'main.ts');

/** Throws what keeps the test from being begun; `lock_held` when another one runs. */
export async function runSelftest(run: SelftestRun): Promise<SelftestReport> {
	const { installation, env, long, signal, tell, program = ownProgram } = run;
	const { home } = installation;
	await mkdir(places.selftest(home), { recursive: true, mode: 0o700 });
	const lockPath = join(places.selftest(home), 'selftest.lock');
	const request = JSON.stringify({ long, version: packageVersion() });
	const child = spawn(
		'flock',
		['-n', '-F', '-E', String(lockHeldExit), lockPath, process.execPath, program, request],
		// A Ctrl-C on the terminal is ours; it stops when its standard input ends, as it does when we are killed.
		{ stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: { ...env, ROUSE_HOME: home } },
	);
	let said = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2_000)));
	const ended = new Promise<number | null>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', resolve);
	});
	ended.catch(() => undefined); // heard below, after what it said
	const stop = () => child.stdin.end();
	child.stdin.on('error', () => undefined);
	signal.addEventListener('abort', stop, { once: true });
	if (signal.aborted) stop();
	let report: SelftestReport | undefined;
	let error: RouseError | undefined;
	try {
		for await (const text of createInterface({ input: child.stdout })) {
			const line = selftestLineSchema.parse(JSON.parse(text));
			if (line.type === 'error') error = RouseError.fromDocument(line.error);
			else if (line.type === 'report') report = line.report;
			else tell(line);
		}
		const code = await ended;
		if (error) throw error;
		if (report) return report;
		if (code === lockHeldExit) throw new RouseError('lock_held', 'another self test of this host runs');
		throw new RouseError('internal', `the self test ended with exit code ${code} and no report: ${said.trim()}`);
	} finally {
		signal.removeEventListener('abort', stop);
		stop();
	}
}
