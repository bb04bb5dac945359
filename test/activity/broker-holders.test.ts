import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createBrokerActivities } from '../../activities/broker-activities.ts';
import type { FoundWorkflow } from '../../activities/broker/site-workflows.ts';
import { checkInputs } from '../../activities/checked-inputs.ts';
import { siteWorkflows } from '../../workers/site-workflows.ts';
import { leaseRequest } from '../equipment/broker-site.ts';

const lease = { request: leaseRequest('one', { shared: { 'repository/main/mounts': 1 } }), host: null, token: 1 };

const turn = {
	request: leaseRequest('web01', {
		holder: { workflowId: 'import/main/web01', firstRunId: 'a' },
		step: 'import',
		shared: { 'repository/main/imports': 1 },
	}),
	host: null,
	token: 2,
};

const found: Record<string, FoundWorkflow> = {
	'recovery/one': { isOpen: true, firstRunId: 'a', memo: { leases: [lease] } },
	'recovery/two': { isOpen: false, firstRunId: 'a', memo: { leases: [lease] } },
	'recovery/odd': { isOpen: true, firstRunId: 'a', memo: { leases: 'of another version' } },
	'recovery/old': { isOpen: true, firstRunId: 'a', memo: {} },
	'import/main/web01': { isOpen: true, firstRunId: 'a', memo: { source: 'web', leases: [turn] } },
};

const told: unknown[] = [];

const activities = createBrokerActivities({
	askBroker: async () => {},
	openHolders: async () => [...Object.keys(found), 'recovery/gone'],
	find: async ids => ids.map(id => found[id]),
	tellGrants: async grants => {
		told.push(...grants);
		return grants.map(({ workflowId }) => found[workflowId]?.isOpen ?? false);
	},
});

/** As a worker runs it. */
function run<Input, Output>(
	activityType: string,
	activity: (input: Input) => Promise<Output>,
	input: Input,
	attempt = 1,
) {
	const logger = new DefaultLogger('ERROR');
	return new MockActivityEnvironment({ activityType, attempt }, { logger, interceptors: [checkInputs] }).run(
		activity,
		input,
	);
}

test('`heldLeases` tells what memos of open recoveries and imports say, of those of before, of unreadable and of ended ones nothing', async () => {
	assert.deepEqual(await run('heldLeases', activities.heldLeases, {}), [lease, turn]);
});

test('`closedHolders` tells of those that are closed, missing, or another recovery of the name', async () => {
	const holder = (name: string, firstRunId = 'a') => ({ workflowId: `recovery/${name}`, firstRunId });
	const closed = [holder('two'), holder('gone'), holder('one', 'b')];
	const holders = [holder('one'), ...closed, holder('old'), holder('odd')];
	assert.deepEqual(await run('closedHolders', activities.closedHolders, { holders }), closed);
});

test('`deliverGrants` tells each holder by its signal, and whom it did not meet, and whether it is the first to try', async () => {
	const grant = (name: string) => ({
		workflowId: `recovery/${name}`,
		requestId: `recovery/${name}/a/run`,
		host: 'kvm1',
		token: 7,
	});
	const grants = ['one', 'two', 'gone'].map(grant);
	const answer = await run('deliverGrants', activities.deliverGrants, { grants });
	assert.deepEqual(told, grants);
	const nobody = ['recovery/two/a/run', 'recovery/gone/a/run'];
	assert.deepEqual(answer, { nobody, once: true });
	const again = await run('deliverGrants', activities.deliverGrants, { grants }, 2);
	assert.deepEqual(again, { nobody, once: false });
});

test('a server that does not answer is asked again by every activity of the broker', async () => {
	const connection = Connection.lazy({ address: '127.0.0.1:1', interceptors: [] });
	const asking = createBrokerActivities(siteWorkflows(new Client({ connection }), async () => []));
	const grants = [{ workflowId: 'recovery/one', requestId: 'recovery/one/a/run', host: 'kvm1', token: 7 }];
	const { holder } = lease.request;
	const mayPass = { type: 'temporal_unreachable', nonRetryable: false };
	await assert.rejects(run('deliverGrants', asking.deliverGrants, { grants }), mayPass);
	await assert.rejects(run('closedHolders', asking.closedHolders, { holders: [holder] }), mayPass);
	await assert.rejects(run('heldLeases', asking.heldLeases, {}), mayPass);
	await assert.rejects(run('askBroker', asking.askBroker, { request: lease.request }), mayPass);
	await connection.close();
});
