import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import proto, { type temporal } from '@temporalio/proto';
import { objectionTo } from '../../keeper/door/host-calls.ts';
import { mostPollBytes, polledQueues } from '../../keeper/door/polled-queues.ts';

const { PollActivityTaskQueueRequest } = proto.temporal.api.workflowservice.v1;
const path = '/temporal.api.workflowservice.v1.WorkflowService/PollActivityTaskQueue';

function framed(message: Uint8Array, packed = false): Buffer {
	const body = packed ? gzipSync(message) : message;
	const head = Buffer.alloc(5);
	head[0] = packed ? 1 : 0;
	head.writeUInt32BE(body.length, 1);
	return Buffer.concat([head, body]);
}

function poll(name: string, more: temporal.api.taskqueue.v1.ITaskQueue = {}): Uint8Array {
	return PollActivityTaskQueueRequest.encode({
		namespace: 'default',
		taskQueue: { name, kind: 1, ...more },
		identity: '1@here',
		taskQueueMetadata: { maxTasksPerSecond: { value: 1.5 } },
	}).finish();
}

test('`polledQueues` names every queue that a poll has, packed or not', () => {
	const queue = 'host-x';
	for (const packed of [false, true]) assert.deepEqual(polledQueues(framed(poll(queue), packed)), [queue]);
	assert.deepEqual(polledQueues(framed(poll(queue, { normalName: 'control' }))), [queue, 'control']);
	assert.deepEqual(polledQueues(framed(Buffer.concat([poll(queue), poll('control')]))), [queue, 'control']);
	assert.deepEqual(polledQueues(framed(PollActivityTaskQueueRequest.encode({}).finish())), []);
});

test('`polledQueues` takes nothing that is not one whole message', () => {
	const whole = framed(poll('host-x'));
	const nothing: Record<string, Buffer> = {
		'no message': Buffer.alloc(0),
		'a part': whole.subarray(0, -1),
		'two messages': Buffer.concat([whole, whole]),
		'another packing': Buffer.concat([Buffer.from([2]), whole.subarray(1)]),
		'what is not packed, and says so': Buffer.concat([Buffer.from([1]), whole.subarray(1)]),
		'what unpacks to more than it may': framed(Buffer.alloc(mostPollBytes + 1), true),
		'a field beyond its end': framed(Buffer.from([0x12, 0x7f, 0x0a])),
		'a field of an unknown kind': framed(Buffer.from([0x13])),
		'a number without end': framed(Buffer.alloc(11, 0xff)),
	};
	for (const [what, body] of Object.entries(nothing)) assert.equal(polledQueues(body), undefined, what);
});

test('`objectionTo` lets a host poll its own queues alone, and none while its id is not known', async () => {
	const own = ['host-x', 'host-x-copy'];
	const said = async (message: Uint8Array, queues: () => Promise<readonly string[]> = async () => own) => {
		const asked = objectionTo(path, queues);
		assert.ok(typeof asked === 'function');
		return await asked(framed(message));
	};
	for (const queue of own) assert.equal(await said(poll(queue)), undefined);
	for (const queue of ['host-y', 'control', '', 'host-x-', '/_sys/host-x/1'])
		assert.equal(typeof (await said(poll(queue))), 'string', queue);
	assert.equal(await said(poll('host-x', { normalName: 'host-y' })), 'not a queue of this host');
	assert.equal(await said(Buffer.concat([poll('host-y'), poll('host-x')])), 'not a queue of this host');
	assert.match((await said(poll('host-x'), async () => [])) ?? '', /its id is not known/);
	assert.match((await said(poll('host-x'), () => Promise.reject(new Error('no')))) ?? '', /cannot be read/);
	const other = path.replace('Poll', 'Respond');
	assert.equal(
		objectionTo(other, async () => own),
		'no call of a host worker',
	);
	assert.equal(
		objectionTo(undefined, async () => own),
		'no call of a host worker',
	);
	assert.equal(
		objectionTo(path.replace(/Poll.*/, 'GetSystemInfo'), async () => own),
		undefined,
	);
});
