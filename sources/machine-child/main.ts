/**
 * `node sources/machine-child/main.ts`: takes one step of an import, which comes as a line on standard input, says on standard output
 * how far it is, and at last what came of it. Ends at once with its input: every step may end anywhere, and be done again.
 */
import { createInterface } from 'node:readline';
import { asRouseError } from '../../model/errors.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';
import { type Answer, type Call, callSchema } from './calls.ts';
import { directSteps } from './direct.ts';
import { redacted, secretsOf } from './redacted.ts';

setPrivateUmask();

// Not by process.exit: it waits for threads that hang with a repository.
const end = () => process.kill(process.pid, 'SIGKILL');
const { signal } = new AbortController();
const lines = createInterface({ input: process.stdin });
lines.once('line', line => void perform(callSchema.parse(JSON.parse(line))));
lines.on('close', end);
process.stdout.on('error', end); // nobody reads the answers

async function perform(call: Call): Promise<void> {
	let secrets: string[] = [];
	try {
		secrets = await secretsOf(call.home, call.places.source);
		say({ result: (await resultOf(call)) ?? null });
	} catch (error) {
		say({ error: redacted(asRouseError(error).toDocument(), secrets) });
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

function say(answer: Answer): void {
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}
