import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { RouseError } from '../../../model/errors.ts';
import { controlAnswerSchema, type ControlRequest } from './control.ts';

/** Tells a simulated host in another process something, over its control socket; throws what it says went wrong. */
export async function control(socketPath: string, request: ControlRequest): Promise<string | null> {
	const socket = connect(socketPath);
	try {
		socket.write(`${JSON.stringify(request)}\n`);
		for await (const line of createInterface({ input: socket })) {
			const answer = controlAnswerSchema.parse(JSON.parse(line));
			if (answer.ok) return answer.result;
			throw new RouseError('machine_failed', answer.message);
		}
		throw new RouseError('hypervisor_failed', `${request.do}: the simulated host hung up`);
	} finally {
		socket.destroy();
	}
}
