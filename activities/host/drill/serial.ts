import type { Duplex } from 'node:stream';
import { drillLimits } from '../../../model/drill.ts';
import type { Tried } from './tried.ts';

/** Kept of what the console says: enough for a text that is waited for to be seen in two parts. */
const keptLength = 4 * drillLimits.outputLength;

/** Types `send`, and passes when `expect` has come since; the console is let go in any case. */
export async function onSerial(
	console: Duplex,
	{ send, expect }: { send: string; expect: string },
	{ withinMs, signal }: { withinMs: number; signal: AbortSignal },
): Promise<Tried> {
	const deadline = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
	let output = '';
	const why = await new Promise<string | undefined>(resolve => {
		deadline.addEventListener('abort', () => resolve(`"${expect}" did not come`), { once: true });
		if (deadline.aborted) resolve(`"${expect}" did not come`);
		console.setEncoding('utf8');
		console.on('data', (text: string) => {
			output = (output + text).slice(-keptLength);
			if (output.includes(expect)) resolve(undefined);
		});
		console.once('error', error => resolve(error.message));
		console.once('close', () => resolve('the console was closed'));
		if (send !== '') console.write(send);
	});
	console.destroy();
	signal.throwIfAborted();
	return { why, output };
}
