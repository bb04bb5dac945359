import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { inspect } from 'node:util';
import { asRouseError } from '../../model/errors.ts';
import { bodyOf } from '../../sources/ec2/aws/body.ts';
import { faultOf } from '../../sources/ec2/aws/faults.ts';
import { momentLost, sourceError } from '../../sources/ec2/refusals.ts';

const canary = 'canary-AKIAIOSFODNN7EXAMPLE';
const call = 'ebs:GetSnapshotBlock';

/** As the SDK throws: with the request, the answer, and a message that tells who asked for what. */
function thrown(facts: Record<string, unknown>): Error {
	const error = new Error(`User: arn:aws:iam::1:user/${canary} is not authorized`, { cause: new Error(canary) });
	return Object.assign(error, { $response: { headers: { authorization: canary } }, Message: canary }, facts);
}

suite('what AWS refuses', () => {
	for (const [code, facts] of [
		['access_denied', { name: 'UnauthorizedOperation', $metadata: { httpStatusCode: 403 } }],
		['access_denied', { name: 'AccessDeniedException', Reason: 'UNAUTHORIZED_ACCOUNT' }],
		['access_denied', { name: 'AccessDeniedException', Reason: 'DEPENDENCY_ACCESS_DENIED' }],
		['access_denied', { name: 'ExpiredToken' }],
		['access_denied', { name: 'CredentialsProviderError' }],
		['moment_lost', { name: 'ResourceNotFoundException', Reason: 'SNAPSHOT_NOT_FOUND' }],
		['checkpoint_lost', { name: 'ValidationException', Reason: 'UNRELATED_SNAPSHOTS' }],
		[
			'source_invalid',
			{ name: 'ValidationException', Reason: 'INVALID_PARAMETER_VALUE', $metadata: { httpStatusCode: 400 } },
		],
		['source_busy', { name: 'SnapshotCreationPerVolumeRateExceeded' }],
		['source_unreachable', { name: 'RequestThrottledException' }],
		['source_unreachable', { name: 'InternalServerException', $metadata: { httpStatusCode: 500 } }],
		['source_unreachable', { name: 'SomethingNew', $metadata: { httpStatusCode: 503 } }],
		['source_unreachable', { name: 'TimeoutError' }],
		['source_unreachable', { code: 'ECONNREFUSED' }],
		['source_invalid', { name: canary, $metadata: { httpStatusCode: 400 } }],
	] as const)
		test(`is ${code} for ${JSON.stringify(facts).replace(canary, '…')}, and nothing of the request is told`, () => {
			const error = asRouseError(sourceError(faultOf(thrown(facts), call), momentLost('snap-1')));
			assert.equal(error.code, code);
			assert.equal(error.cause, undefined);
			assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(canary), 'a secret is told');
			assert.ok(!JSON.stringify(error.toDocument()).includes(canary));
		});

	test('of a key says that it is the key', () => {
		const error = asRouseError(
			sourceError(
				faultOf(thrown({ name: 'AccessDeniedException', Reason: 'DEPENDENCY_ACCESS_DENIED' }), call),
				momentLost(''),
			),
		);
		assert.match(`${error.message} ${error.hint}`, /key.*kms:Decrypt/s);
	});

	test('as a thing that is no error at all has no word', () => {
		for (const what of [null, undefined, 'text', 7, { name: 7 }]) assert.equal(faultOf(what, call).fault, 'refused');
	});
});

suite('the body of an answer', () => {
	const limits = { mostBytes: 10, idleMs: 10_000 };
	const { signal } = new AbortController();

	test('is what came, in whatever pieces', async () => {
		const body = Readable.from([Buffer.from('ab'), Buffer.from('cdefg'), Buffer.from('hij')], { objectMode: false });
		assert.equal((await bodyOf(body, call, limits, signal)).toString(), 'abcdefghij');
		assert.ok(body.destroyed);
	});

	test('that ends with an error is cut, without its cause', async () => {
		const body = Readable.from(
			(async function* () {
				yield Buffer.from('abc');
				await Promise.resolve();
				throw new Error(canary);
			})(),
		);
		await assert.rejects(bodyOf(body, call, limits, signal), (error: Error & { fault?: string }) => {
			assert.equal(error.fault, 'cut');
			assert.ok(!inspect(error).includes(canary));
			return true;
		});
		assert.ok(body.destroyed);
	});

	test('that stands still is cut', async () => {
		const body = new Readable({ read() {} });
		body.push(Buffer.from('abc'));
		await assert.rejects(bodyOf(body, call, { ...limits, idleMs: 20 }, signal), {
			fault: 'cut',
			word: /nothing for 20 ms/,
		});
		assert.ok(body.destroyed);
	});

	test('that is too long is cut, and read no further', async () => {
		const body = Readable.from([Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)]);
		await assert.rejects(bodyOf(body, call, limits, signal), { fault: 'cut' });
		assert.ok(body.destroyed);
	});

	test('that is not wanted any more ends with the reason', async () => {
		const body = new Readable({ read() {} });
		const abort = new AbortController();
		const reading = bodyOf(body, call, limits, abort.signal);
		const reason = new Error('enough');
		abort.abort(reason);
		await assert.rejects(reading, reason);
		assert.ok(body.destroyed);
	});
});
