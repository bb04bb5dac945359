import { RouseError } from '../model/errors.ts';
import { runProgram } from './program.ts';
import { setPrivateUmask } from '../system/private-umask.ts';

setPrivateUmask();

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
	process.on(name, () => {
		// The second time nobody wants to wait for a tidy end.
		if (interrupted.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
		interrupted.abort(new RouseError('interrupted', `interrupted by ${name}`, { details: { signal: name } }));
	});
}
// `rouse … | head`: whoever read us has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
	if (error.code !== 'EPIPE') throw error;
	process.exit(0);
});

// Node's own warnings would be no JSON, and no words for people.
process.removeAllListeners('warning');
process.on('warning', ({ message }) => {
	const isJson = process.argv.includes('--json');
	process.stderr.write(isJson ? `${JSON.stringify({ type: 'warning', message })}\n` : `warning: ${message}\n`);
});

const exitCode = await runProgram({
	argv: process.argv.slice(2),
	env: process.env,
	stdout: process.stdout,
	stderr: process.stderr,
	signal: interrupted.signal,
});
// Not process.exitCode: a connection that somebody forgot to close must not keep a finished command alive.
process.stdout.write('', () => process.exit(exitCode));
