/**
 * `node repository/access/main.ts`: does the calls that come on standard input, a JSON document a line, and answers on
 * standard output. Ends with its input: whoever started it is gone, or needs it no more.
 */
import { createInterface } from 'node:readline';
import { asRouseError } from '../../model/errors.ts';
import { type Answer, type Call, callSchema } from './calls.ts';
import { directAccess } from './direct.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';

setPrivateUmask();

/** For what is under way when the input ends; a repository that hangs would keep the process for ever. */
const lastCallMs = 5_000;

const lines = createInterface({ input: process.stdin });
lines.on('line', line => void perform(callSchema.parse(JSON.parse(line))));
// Not by process.exit: it waits for the threads that hang.
lines.on('close', () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), lastCallMs).unref());
process.stdout.on('error', () => process.kill(process.pid, 'SIGKILL')); // nobody reads the answers

async function perform(call: Call): Promise<void> {
	const { id } = call;
	try {
		say({ id, result: await resultOf(call) });
	} catch (error) {
		say({ id, error: asRouseError(error).toDocument() });
	}
}

async function resultOf(call: Call): Promise<unknown> {
	const { repository } = call;
	if (call.do === 'read-point') return directAccess.readPoint(repository, call.machine, call.restorePoint);
	if (call.do === 'pin') return directAccess.pin(repository, call.pin);
	if (call.do === 'list-pins') return directAccess.listPins(repository);
	return directAccess.unpin(repository, call.recoveryId);
}

function say(answer: Answer): void {
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}
