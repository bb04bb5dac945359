import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msToNumber } from '@temporalio/common/lib/time.js';
import * as activityOptions from '../../workflows/activity-options.ts';

for (const [name, { heartbeatTimeout, startToCloseTimeout }] of Object.entries(activityOptions))
	test(`\`${name}\` has a killed worker noticed before the time of an attempt is over`, () => {
		assert.ok(msToNumber(heartbeatTimeout) < msToNumber(startToCloseTimeout));
	});
