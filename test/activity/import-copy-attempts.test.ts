/** Which attempt of a copy is followed by another one. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createImportActivities } from '../../activities/import-activities.ts';
import { CopyAttempts } from '../../activities/import/copy-attempts.ts';
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import type { CopyBeat } from '../../model/import-view.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import type { ImportSteps } from '../../sources/machine-child/import-steps.ts';
import { importInput, importMoment, importOrder, repositoryId } from '../equipment/import-documents.ts';

const progress = { doneBytes: 8, totalBytes: 64, readBytes: 8, newBytes: 8, rateBytes: 0, etaMs: null };

interface Of {
	before?: unknown;
	attempt?: number;
	isOnly?: boolean;
	isReadAnew?: boolean;
	isInTurn?: boolean;
}

const attemptsOf = ({ before, attempt = 1, isOnly = false, isReadAnew = false, isInTurn = false }: Of) =>
	new CopyAttempts(before, attempt, { isOnly, isReadAnew, isInTurn });

function failure(code: ErrorCode, attempts: CopyAttempts): ApplicationFailure {
	const failed = attempts.failure(new RouseError(code, 'why', { hint: 'hint' }));
	assert.ok(failed instanceof ApplicationFailure);
	assert.equal(failed.type, code);
	return failed;
}

/** What an attempt leaves that has read something. */
function left(of: Of = {}): CopyBeat {
	return attemptsOf(of).told(progress);
}

for (const [code, atFirst, onceRead, only] of [
	['source_unreachable', true, true, true],
	['space_short', false, true, false],
	['access_denied', false, true, false],
	['repository_missing', false, true, false],
	['internal', false, true, false],
	['import_superseded', true, true, true],
	['moment_lost', false, false, false],
	['config_invalid', false, false, false],
] as const)
	test(`${code}: tried again ${atFirst} at first, ${onceRead} once something was read, ${only} where nobody could go on`, () => {
		assert.equal(failure(code, attemptsOf({})).nonRetryable, !atFirst);
		assert.equal(failure(code, attemptsOf({ before: left(), attempt: 2 })).nonRetryable, !onceRead);
		assert.equal(failure(code, attemptsOf({ before: left(), isOnly: true })).nonRetryable, !only);
	});

test('what is passed without a read is nothing that would have to be read again', () => {
	const attempts = attemptsOf({});
	attempts.told({ ...progress, readBytes: 0 });
	assert.equal(failure('space_short', attempts).nonRetryable, true);
});

test('attempts that come no further have an end, and one that comes further begins to count anew', () => {
	const before = left();
	assert.equal(failure('source_unreachable', attemptsOf({ before, attempt: 288 })).nonRetryable, false);
	const last = failure('source_unreachable', attemptsOf({ before, attempt: 289 }));
	assert.equal(last.nonRetryable, true);
	assert.deepEqual(last.details?.[0], {
		code: 'source_unreachable',
		message: 'why (288 attempts have come no further)',
		hint: 'hint',
		details: undefined,
	});
	const further = attemptsOf({ before, attempt: 289 });
	assert.deepEqual(further.told({ ...progress, doneBytes: 7 }), { ...before, progress: { ...progress, doneBytes: 7 } });
	assert.equal(further.told({ ...progress, doneBytes: 9 }).furthestAttempt, 289);
	assert.equal(failure('source_unreachable', further).nonRetryable, false);
	assert.equal(
		failure('source_unreachable', attemptsOf({ attempt: 288 })).nonRetryable,
		true,
		'none has read anything',
	);
});

test('attempts that read anew have an end once six have read something, however far they come, and a death of the worker is one', () => {
	let before: CopyBeat | undefined;
	const next = () => attemptsOf({ before, attempt: 9, isReadAnew: true });
	for (let attempt = 1; attempt <= 5; attempt++) {
		const attempts = next();
		attempts.begin();
		attempts.told({ ...progress, readBytes: 1 });
		before = attempts.told({ ...progress, doneBytes: 8 * attempt, readBytes: 2 ** 30 });
		// One of them is not heard of any more.
		if (attempt > 1) assert.equal(failure('source_unreachable', attempts).nonRetryable, false);
		assert.equal(failure('source_unreachable', next()).nonRetryable, false, 'one that reads nothing costs nothing');
	}
	const attempts = next();
	before = attempts.told({ ...progress, doneBytes: 63, readBytes: 2 ** 30 });
	const last = failure('source_unreachable', attempts);
	assert.equal(last.nonRetryable, true);
	assert.match(last.message, /^why \(6 attempts have read 6\.00 GiB of its disks, each from the first byte on\)$/);
	assert.partialDeepStrictEqual(last.details?.[0], { code: 'source_unreachable' });
	assert.match(Reflect.get(Object(last.details?.[0]), 'hint'), /^hint; and .*spool: DIRECTORY/);
	assert.throws(() => next().begin(), { type: 'import_failed', nonRetryable: true });
	assert.equal(
		failure('source_unreachable', attemptsOf({ before: left() })).nonRetryable,
		false,
		'others count nothing',
	);
});

test('a copy in its turn that comes no further for a quarter of an hour leaves it, and what it has come to goes with that', context => {
	context.mock.timers.enable({ apis: ['Date'], now: 0 });
	const minutes = (count: number) => context.mock.timers.setTime(count * 60_000);
	let before = attemptsOf({ isInTurn: true }).beat;
	minutes(14);
	const next = (attempt: number) => attemptsOf({ before, attempt, isInTurn: true });
	assert.equal(failure('source_unreachable', next(2)).nonRetryable, false);
	before = next(3).told(progress);
	minutes(28);
	assert.equal(failure('source_unreachable', next(4)).nonRetryable, false, 'that came further');
	minutes(29);
	const leaving = failure('source_unreachable', next(5));
	assert.equal(leaving.nonRetryable, true);
	const beat = { progress, furthestBytes: 8, furthestAttempt: 0, inVain: 2 };
	assert.deepEqual(leaving.details?.[1], { pauseMs: 300_000, beat });
	assert.equal(
		failure('source_unreachable', attemptsOf({ before: beat, attempt: 1, isInTurn: true })).nonRetryable,
		false,
	);
	const last = failure('source_unreachable', attemptsOf({ before: beat, attempt: 286, isInTurn: true }));
	assert.match(last.message, /288 attempts have come no further/);
	assert.equal(last.details?.[1], undefined);
});

test('one that is to be tried again in hours leaves its turn at once', () => {
	const attempts = attemptsOf({ isReadAnew: true, isInTurn: true });
	attempts.told(progress);
	const { nonRetryable, details } = failure('space_short', attempts);
	assert.equal(nonRetryable, true);
	assert.partialDeepStrictEqual(details?.[1], {
		pauseMs: 4 * 3_600_000,
		beat: { anew: { attempts: 1, readBytes: 8 } },
	});
});

test('a plan and a begin leave their turn as a copy does', async () => {
	const order = importOrder(randomUUID());
	const places = { source: 'web', repository: importInput.repository, repositoryId };
	const failing = () => Promise.reject(new RouseError('source_unreachable', 'why'));
	const steps = { ...childSteps('/nowhere'), plan: failing, begin: failing };
	const { planImport, beginImport } = createImportActivities(steps, async () => 'main');
	const wish = { places, importId: order.tag, machine: 'web01' };
	for (const [minutes, inTurn, isLeft] of [
		[16, true, true],
		[14, true, false],
		[16, undefined, false],
	] as const) {
		const scheduledTimestampMs = Date.now() - minutes * 60_000;
		const environment = () =>
			new MockActivityEnvironment({ scheduledTimestampMs }, { logger: new DefaultLogger('ERROR') });
		const how = inTurn && { inTurn };
		for (const failed of [
			environment().run(planImport, { ...wish, ...how }),
			environment().run(beginImport, { places, order, ...how }),
		])
			await assert.rejects(failed, (error: ApplicationFailure) => {
				assert.deepEqual([error.nonRetryable, error.details?.[1]], [isLeft, isLeft ? { pauseMs: 300_000 } : undefined]);
				return true;
			});
	}
});

test('what somebody has to mend has a day for it also where each attempt reads anew; what passes by itself, or costs nothing, is tried again soon', () => {
	const before = left({ isReadAnew: true });
	const delayOf = (code: ErrorCode, isReadAnew: boolean, readBytes: number) => {
		const attempts = attemptsOf({ before, attempt: 2, isReadAnew });
		attempts.told({ ...progress, readBytes });
		const { nextRetryDelay, message } = failure(code, attempts);
		assert.equal(/next one begins in 4 hours/.test(message), nextRetryDelay !== undefined);
		return nextRetryDelay;
	};
	assert.equal(delayOf('space_short', true, 8), 4 * 3_600_000);
	assert.equal(delayOf('repository_missing', true, 8), 4 * 3_600_000);
	assert.equal(delayOf('source_unreachable', true, 8), undefined);
	assert.equal(delayOf('internal', true, 8), undefined);
	assert.equal(delayOf('access_denied', true, 0), undefined);
	assert.equal(delayOf('space_short', false, 8), undefined);
});

test('the copy of a moment that is read anew counts what earlier attempts have read, and reads nothing once it is enough', async () => {
	const order = importOrder(randomUUID());
	const moment = { ...importMoment(order), readAnew: true as const };
	const places = { source: 'web', repository: importInput.repository, repositoryId };
	const copies: ImportSteps['copy'] = async (_places, _copy, { onProgress }) => {
		onProgress(progress);
		throw new RouseError('source_unreachable', 'why');
	};
	const { copyImport } = createImportActivities({ ...childSteps('/nowhere'), copy: copies }, async () => 'main');
	for (const [attempts, type, nonRetryable] of [
		[4, 'source_unreachable', false],
		[5, 'source_unreachable', true],
		[6, 'import_failed', true],
	] as const) {
		const heartbeatDetails = { progress: null, furthestBytes: 1, furthestAttempt: 1, anew: { attempts, readBytes: 1 } };
		const environment = new MockActivityEnvironment(
			{ heartbeatDetails, attempt: 7 },
			{ logger: new DefaultLogger('ERROR') },
		);
		const copied = environment.run(copyImport, { places, order, moment, maxRateBytes: null });
		await assert.rejects(copied, { type, nonRetryable });
	}
});

test('what somebody has to mend is waited for by a copy that has read something, and by what gives it up', async () => {
	const order = importOrder(randomUUID());
	const moment = importMoment(order);
	const { repository } = importInput;
	const places = { source: 'web', repository, repositoryId };
	const failing = (code: ErrorCode) => () => Promise.reject(new RouseError(code, 'why'));
	const isTriedAgain = async (code: ErrorCode, heartbeatDetails?: unknown) => {
		const steps = { ...childSteps('/nowhere'), copy: failing(code), giveUp: failing(code) };
		const { copyImport, giveUpImport } = createImportActivities(steps, async () => 'main');
		const environment = new MockActivityEnvironment(
			{ heartbeatDetails, attempt: 2 },
			{ logger: new DefaultLogger('ERROR') },
		);
		const failures = [
			await environment.run(copyImport, { places, order, moment, maxRateBytes: null }).catch((error: unknown) => error),
			await environment.run(giveUpImport, { places, order }).catch((error: unknown) => error),
		];
		return failures.map(each => each instanceof ApplicationFailure && each.nonRetryable === false);
	};
	const beat = { progress: null, furthestBytes: 1, furthestAttempt: 1 };
	assert.deepEqual(await isTriedAgain('space_short'), [false, true]);
	assert.deepEqual(await isTriedAgain('space_short', beat), [true, true]);
	assert.deepEqual(await isTriedAgain('repository_missing', beat), [true, true]);
	assert.deepEqual(await isTriedAgain('config_invalid', beat), [false, true]);
	assert.deepEqual(await isTriedAgain('identity_conflict', beat), [false, false]);
});
