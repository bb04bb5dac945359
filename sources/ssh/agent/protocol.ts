/** What is said to the agent (agent.py) and what it answers: fixed headers, whole numbers with the highest byte first, answers in the order of requests. */
import { RouseError } from '../../../model/errors.ts';

export const greeting = 'rouse-agent 1\n';
/** Of one request. */
export const mostRequestBytes = 4 * 2 ** 20;
export const digestBytes = 32;

export type AgentRequest =
	| { op: 'open'; handle: number; path: string }
	| { op: 'read'; handle: number; offsetBytes: number; lengthBytes: number }
	/** SHA-256 of the first `firstBytes`, and then of each `unitBytes`. */
	| { op: 'digests'; handle: number; offsetBytes: number; lengthBytes: number; firstBytes: number; unitBytes: number }
	| { op: 'close'; handle: number }
	| { op: 'ping' };

const ops = { open: 1, read: 2, digests: 3, close: 4, ping: 5 } as const;
const requestBytes = 27;

export function encodeRequest(number: number, request: AgentRequest): Buffer {
	const path = request.op === 'open' ? Buffer.from(request.path) : Buffer.alloc(0);
	const bytes = Buffer.alloc(requestBytes);
	bytes.writeUInt8(ops[request.op], 0);
	bytes.writeUInt32BE(number, 1);
	if (request.op !== 'ping') bytes.writeUInt16BE(request.handle, 5);
	if (request.op === 'open') bytes.writeUInt32BE(path.length, 15);
	if (request.op === 'read' || request.op === 'digests') {
		bytes.writeBigUInt64BE(BigInt(request.offsetBytes), 7);
		bytes.writeUInt32BE(request.lengthBytes, 15);
	}
	if (request.op === 'digests') {
		bytes.writeUInt32BE(request.firstBytes, 19);
		bytes.writeUInt32BE(request.unitBytes, 23);
	}
	return Buffer.concat([bytes, path]);
}

/** How many digests such a request is answered with. */
export function digestCount({ lengthBytes, firstBytes, unitBytes }: Extract<AgentRequest, { op: 'digests' }>): number {
	if (lengthBytes === 0) return 0;
	const first = Math.min(firstBytes, lengthBytes);
	return (first > 0 ? 1 : 0) + Math.ceil((lengthBytes - first) / unitBytes);
}

export const answerHeaderBytes = 9;
const statuses = ['data', 'zeros', 'failed'] as const;

export interface AnswerHeader {
	number: number;
	status: (typeof statuses)[number];
	bodyBytes: number;
}

/** Throws `protocol` for what no agent says. */
export function decodeAnswer(header: Buffer): AnswerHeader {
	const status = statuses[header.readUInt8(4)];
	const bodyBytes = header.readUInt32BE(5);
	if (status === undefined || bodyBytes > mostRequestBytes)
		throw new RouseError('protocol', 'what answers on the other machine is not the agent that was sent there');
	return { number: header.readUInt32BE(0), status, bodyBytes };
}

/** ENXIO, ENOENT, ENODEV: the device is gone. */
const goneErrnos = new Set([2, 6, 19]);

/** What went wrong there, with a device. */
export function deviceError(path: string, body: Buffer): RouseError {
	const errno = body.length >= 4 ? body.readInt32BE(0) : 0;
	const said = body.toString('utf8', 4).replaceAll(/\p{C}/gu, '?');
	return new RouseError('source_invalid', `${path} cannot be read: ${said || `error ${errno}`}`, {
		hint: goneErrnos.has(errno) ? 'it is not there any more' : "look at the machine's own messages: dmesg",
	});
}
