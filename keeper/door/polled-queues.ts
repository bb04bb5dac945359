import { gunzipSync } from 'node:zlib';

/** A message that names a queue is far below that, and so is what it unpacks to. */
export const mostPollBytes = 64 * 1024;

/**
 * The queues that a call to PollActivityTaskQueue names, whichever of them a server takes where there is more than one. Undefined
 * for what is no such call. `body`: one message, as gRPC frames it
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), packed or not.
 */
export function polledQueues(body: Buffer): string[] | undefined {
	const message = messageIn(body);
	if (message === undefined) return undefined;
	try {
		// PollActivityTaskQueueRequest.task_queue; of a TaskQueue: name, normal_name.
		return [...textsOf(message, [2])].flatMap(queue => [...textsOf(queue, [1, 3])].map(name => name.toString('utf8')));
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

function messageIn(body: Buffer): Buffer | undefined {
	if (body.length < 5 || body.readUInt32BE(1) !== body.length - 5) return undefined;
	const [packed, message] = [body[0], body.subarray(5)];
	if (packed === 0) return message;
	try {
		return packed === 1 ? gunzipSync(message, { maxOutputLength: mostPollBytes }) : undefined;
	} catch {
		return undefined; // another packing, or too large
	}
}

/**
 * Of a message of protocol buffers, what these fields hold: texts and messages. Throws a RangeError for one that is not whole.
 * https://protobuf.dev/programming-guides/encoding/
 */
function* textsOf(message: Buffer, fields: readonly number[]): Generator<Buffer> {
	let at = 0;
	const take = (lengthBytes: number) => {
		if (lengthBytes > message.length - at) throw new RangeError('a field beyond its message');
		at += lengthBytes;
		return message.subarray(at - lengthBytes, at);
	};
	/** Of at most 10 bytes; those above 2^53 are lengths and fields of nothing here. */
	const number = () => {
		for (let [value, shift] = [0, 0]; shift < 70; shift += 7) {
			const byte = take(1).readUInt8();
			value += (byte & 0x7f) * 2 ** shift;
			if (byte < 0x80) return value;
		}
		throw new RangeError('a number without end');
	};
	while (at < message.length) {
		const key = number();
		const [field, kind] = [Math.floor(key / 8), key % 8];
		if (kind === 0) number();
		else if (kind === 1) take(8);
		else if (kind === 5) take(4);
		else if (kind !== 2) throw new RangeError('a field of no known kind');
		else {
			const held = take(number());
			if (fields.includes(field)) yield held;
		}
	}
}
