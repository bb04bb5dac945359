import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestMeant } from '../../client/broker.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const [main, spare] = ['0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d', '1c9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d'];
const turnOf = (machine: string, repositoryId = main) =>
	leaseRequest(machine, {
		holder: { workflowId: `import/${repositoryId}/${machine}`, firstRunId: 'a' },
		step: 'import',
		shared: { 'repository/main/imports': 1 },
	});

test('`requestMeant` finds an import by its machine, says which of several there are, and names none as gone that may wait unseen', () => {
	const site = new BrokerSite({ 'repository/main': { imports: 1 } });
	site.acquire(turnOf('db01'), turnOf('web01'), turnOf('web01', spare));
	site.tick();
	const view = explain(site.state, site.nowMs, 100);
	assert.equal(requestMeant('db01/import', view, false), `import/${main}/db01/a/import`);
	assert.throws(() => requestMeant('web01/import', view, false), { code: 'name_conflict' });
	assert.throws(() => requestMeant('nobody/import', view, false), { code: 'recovery_unknown', hint: undefined });
	assert.throws(() => requestMeant('nobody/import', view, true), {
		message: /not among the first 2 /,
		hint: /whole requestId/,
	});
});
