import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import type { RouseError } from '../model/errors.ts';
import { serviceKeys, serviceName } from '../repository/service/service-keys.ts';
import type { Served } from './served-services.ts';

/** Within a machine a handshake takes milliseconds; one that is busy takes its time. */
const answersWithinMs = 5_000;

/** Whether what answers at an address of this machine is a service of this installation. It is shown no certificate. */
export async function servedAnswers(home: string, { host, port }: { host: string; port: number }): Promise<boolean> {
	const keys = await serviceKeys(home);
	const trusted = { ca: await readFile(keys.authority), servername: await serviceName(keys) };
	return new Promise(resolve => {
		const socket = connect({ host, port, ...trusted });
		const say = (answers: boolean) => {
			resolve(answers);
			socket.destroy();
		};
		socket.setTimeout(answersWithinMs, () => say(false));
		// It has shown its own certificate by then, and not yet looked for ours (RFC 8446, 2).
		socket.once('secureConnect', () => say(true));
		socket.on('error', () => say(false));
	});
}

/**
 * Which repositories do not answer where they are served, and why: only recoveries of other hosts wait for these. Throws why
 * the door to Temporal does not: without it hosts elsewhere do nothing.
 */
export async function silentAmong<T extends Pick<Served, 'name'>>(
	served: readonly T[],
	{ answers, explain }: { answers: (one: T) => Promise<boolean>; explain: (one: T) => Promise<RouseError> },
): Promise<string[]> {
	const silent: string[] = [];
	for (const one of served) {
		if (await answers(one)) continue;
		const why = await explain(one);
		if (one.name === 'host-door') throw why;
		silent.push(why.message);
	}
	return silent;
}
