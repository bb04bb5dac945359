import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchPlan, batchLimits } from '../../model/batch.ts';
import { itemRequest, planObjection } from '../../model/batch-requests.ts';
import { refuseUnfit } from '../../client/batch/unfit.ts';
import { batchItem, batchPlan } from '../equipment/batch-site.ts';

const plan = batchPlan({ db: ['one'], web: ['two'] }, { after: { web: ['db'] } });

test('`itemRequest` is what is common, what differs, and the name of the item', () => {
	const [item] = plan.items;
	assert.ok(item);
	const { name, machine, host } = itemRequest(plan, { ...item, differs: { machine: 'm1', machineName: 'n1' } });
	assert.deepEqual([name, machine, host], ['one', 'm1', 'local']);
	assert.throws(() => itemRequest({ common: {} }, item), { code: 'input_invalid', message: /^the request of one: / });
});

for (const [what, changes, objection] of [
	['has an item twice', { items: [...plan.items, batchItem('one', 'web')] }, /^one is in it twice/],
	['has a group twice', { groups: [...plan.groups, { name: 'db', after: [] }] }, /^db is in it twice/],
	['has an item in no group', { items: [batchItem('one', 'other')] }, /^there is no group other/],
	['has a group after none', { groups: [...plan.groups, { name: 'x', after: ['other'] }] }, /^there is no group other/],
	['has a group after itself', { groups: plan.groups.map(({ name }) => ({ name, after: [name] })) }, /^group db would/],
	[
		'goes in a circle',
		{
			groups: [
				{ name: 'db', after: ['web'] },
				{ name: 'web', after: ['db'] },
			],
		},
		/^group db would/,
	],
	[
		'is too large',
		{
			items: Array.from({ length: 2_000 }, (_, index) => ({
				...batchItem(`m${index}`, 'db'),
				differs: { repository: 'x'.repeat(800) },
			})),
		},
		new RegExp(`a batch bears ${batchLimits.planBytes}: make several`),
	],
] satisfies [string, Partial<BatchPlan>, RegExp][])
	test(`\`planObjection\` to a plan that ${what}`, () => {
		assert.match(planObjection({ ...plan, ...changes }) ?? 'none', objection);
	});

test('`planObjection` has nothing against a plan in which groups share those that they follow', () => {
	const groups = [
		{ name: 'a', after: [] },
		{ name: 'b', after: ['a'] },
		{ name: 'c', after: ['a'] },
		{ name: 'd', after: ['b', 'c'] },
	];
	assert.equal(planObjection({ ...plan, groups, items: [batchItem('one', 'd')] }), undefined);
});

test('a batch, or an order to one that is over, that its workflow would refuse is not started', () => {
	const long = 'x'.repeat(501);
	refuseUnfit({ plan, order: { is: 'retry', by: 'ann' } });
	assert.throws(() => refuseUnfit({ plan: { ...plan, reason: long } }), {
		code: 'usage',
		message: /reason: must have at most 500/,
	});
	assert.throws(() => refuseUnfit({ plan, order: { is: 'discard', by: 'ann', reason: long } }), { code: 'usage' });
});
