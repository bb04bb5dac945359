import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createDrillActivities } from '../../activities/drill-activities.ts';
import { nothingFound } from '../../model/drill-report.ts';
import { type ErrorCode, RouseError } from '../../model/errors.ts';

const report = '2026-11-20T03-00-00Z';
const at = '2026-11-20T03:00:00.000Z';

/** Whether each of what is written for a report is tried again when its disk says this. */
async function triedAgain(code: ErrorCode): Promise<boolean[]> {
	const fails = async () => {
		throw new RouseError(code, 'the disk');
	};
	const nobody = () => assert.fail('nobody is asked');
	const { keepFindings, writeDrillReport } = createDrillActivities({
		find: nobody,
		plan: nobody,
		reports: { keep: fails, write: fails },
	});
	const wanted = {
		directory: report,
		keep: 1,
		name: 'weekly',
		reason: '',
		requestedBy: 'ann',
		startedAt: at,
		endedAt: at,
		cancelled: null,
		machines: [],
	};
	const answers: boolean[] = [];
	for (const write of [
		() => keepFindings({ drill: 'weekly', report, name: 'a', findings: nothingFound }),
		() => writeDrillReport(wanted),
	]) {
		const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
		const error: unknown = await environment.run(write).catch((thrown: unknown) => thrown);
		assert.ok(error instanceof ApplicationFailure);
		assert.equal(error.type, code);
		answers.push(!error.nonRetryable);
	}
	return answers;
}

test('what is written for the report of a drill is tried again on a full disk, and on one that fails', async () => {
	for (const code of ['space_short', 'io_failed'] as const) assert.deepEqual(await triedAgain(code), [true, true]);
	assert.deepEqual(await triedAgain('format_damaged'), [false, false]);
});
