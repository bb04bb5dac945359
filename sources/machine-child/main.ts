/**
 * `node sources/machine-child/main.ts`: takes one step of an import, which comes as a line on standard input, says on a pipe beside
 * the standard ones how far it is, and at last what came of it. Ends at once with its input: every step may end anywhere, and be
 * done again.
 */
import { Console } from 'node:console';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';
import { type Answer, answersDescriptor, type Call, callSchema } from './calls.ts';
import { directSteps } from './direct.ts';
import { noSecrets, secretsOf } from './secrets.ts';

setPrivateUmask();

let secrets = noSecrets;
const answers = new Socket({ fd: answersDescriptor, writable: true });
const { signal } = new AbortController();
// Else Node would print what a library throws where nobody can take secrets out of it.
process.on('uncaughtException', error => {
	sayError(new RouseError('import_failed', `the process of the step failed: ${asRouseError(error).message}`));
});
// Standard error is our log.
globalThis.console = new Console(
	new Writable({
		write: (text, _encoding, done) => {
			process.stderr.write(secrets.outOf(String(text)), done);
		},
	}),
);
const lines = createInterface({ input: process.stdin });
lines.once('line', line => void perform(callSchema.parse(JSON.parse(line))));
lines.on('close', end);
answers.on('error', end); // nobody reads them

/** Not by process.exit: it waits for threads that hang with a repository. With the programs that it has started. */
function end(): void {
	try {
		process.kill(-process.pid, 'SIGKILL');
	} catch {
		process.kill(process.pid, 'SIGKILL'); // whoever has started it by hand has made it no first of a group
	}
}

async function perform(call: Call): Promise<void> {
	try {
		secrets = await secretsOf(call.home, call.places.source);
		say({ result: secrets.outOfProse((await resultOf(call)) ?? null) });
	} catch (error) {
		sayError(error);
	}
}

async function resultOf(call: Call): Promise<unknown> {
	const steps = directSteps(call.home, { onWait: () => say({ waits: true }) });
	switch (call.do) {
		case 'plan':
			return steps.plan(call.places, { importId: call.importId, machine: call.machine }, signal);
		case 'sweep':
			return steps.sweep(call.places, call.order, signal);
		case 'begin':
			return steps.begin(call.places, call.order, signal);
		case 'ready':
			return steps.ready(call.places, call.moment, signal);
		case 'copy':
			await proveZstdHandles();
			return steps.copy(call.places, call, { signal, onProgress: progress => say({ progress }) });
		case 'commit':
			return steps.commit(call.places, call.order, signal);
		case 'give-up':
			return steps.giveUp(call.places, call.order, signal);
		case 'leftovers':
			return steps.leftovers(call.places, call.machine, signal);
		default:
			return call satisfies never;
	}
}

function sayError(error: unknown): void {
	say({ error: secrets.outOfError(asRouseError(error).toDocument()) });
}

function say(answer: Answer): void {
	answers.write(`${JSON.stringify(answer)}\n`);
}
