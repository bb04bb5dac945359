/** The workflow of a batch and those of its recoveries, each as it is; only hosts and repositories are played. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BatchPlan } from '../../model/batch.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { asked, batchPlan } from '../equipment/batch-site.ts';
import { planOf } from '../equipment/recovery-request.ts';
import { SandboxBroker } from '../equipment/sandbox-broker.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { SandboxBatch } from './batch-run.ts';
import { bringTo, type Step } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

interface Recovery {
	run: SandboxRun;
	request: RecoveryRequest;
}

/** A batch with its recoveries; what they send each other arrives. */
class Site {
	batch: SandboxBatch;
	readonly recoveries = new Map<string, Recovery>();
	readonly #broker = new SandboxBroker();
	#begun = 0;

	private constructor(batch: SandboxBatch) {
		this.batch = batch;
	}

	static async start(plan: BatchPlan): Promise<Site> {
		const site = new Site(await SandboxBatch.start(sandbox, plan));
		await site.deliver();
		return site;
	}

	of(name: string): Recovery {
		const recovery = this.recoveries.get(name);
		assert.ok(recovery, `${name} was not started`);
		return recovery;
	}

	/** From its start, with what it asks the broker for granted at once. */
	async bring(name: string, step: Step | 'running'): Promise<void> {
		const { run, request } = this.of(name);
		await run.complete('plan', planOf(request));
		await this.#broker.grant(run);
		await bringTo(run, request, step, 'reserve');
		await this.deliver();
	}

	/** Until nothing is on its way. */
	async deliver(): Promise<void> {
		for (;;) {
			await this.batch.settle();
			const children = this.batch.run.outside.children.slice(this.#begun);
			this.#begun += children.length;
			for (const { type, input, workflowId } of children) {
				const { request } = input as { request: RecoveryRequest };
				const run = await sandbox.start(type, [input], workflowId);
				this.recoveries.set(request.name, { run, request });
			}
			const told = await this.#tell();
			const heard = await this.#hear();
			if (children.length + told + heard === 0) return;
		}
	}

	async #tell(): Promise<number> {
		const sent = [...this.batch.run.outside.sent];
		for (const each of sent) {
			const recovery = this.recoveries.get(each.workflowId.slice('recovery/'.length));
			await recovery?.run.signal(each.signal, each.message);
			await this.batch.run.arrive(each, recovery !== undefined);
		}
		return sent.length;
	}

	async #hear(): Promise<number> {
		let count = 0;
		for (const { run } of this.recoveries.values()) {
			await this.#broker.hear(run);
			for (const each of run.outside.sent.filter(({ workflowId }) => workflowId === 'batch/site')) {
				count += 1;
				const isOpen = this.batch.run.closed === undefined;
				if (isOpen) await this.batch.run.signal(each.signal, each.message);
				await run.arrive(each, isOpen);
			}
		}
		return count;
	}
}

const ordered = batchPlan({ db: ['db1'], web: ['w1', 'w2'] }, { after: { web: ['db'] } });

test('a group starts when what it follows says that it is ready, and the batch ends while its recoveries run on', async () => {
	const site = await Site.start(ordered);
	await site.bring('db1', 'powerOn');
	assert.deepEqual([...site.recoveries.keys()], ['db1']);
	await site.of('db1').run.complete('powerOn');
	await site.deliver();
	assert.deepEqual([...site.recoveries.keys()], ['db1', 'w1', 'w2']);
	await site.bring('w1', 'running');
	await site.of('w2').run.fail('plan', 'point_unknown', 'no such point');
	await site.of('w2').run.complete('undo', { wasHere: false });
	await site.deliver();
	assert.deepEqual([site.batch.run.closed, site.of('w2').run.closed], ['completed', 'failed']);
	const { items } = await site.batch.view();
	assert.deepEqual(
		items.map(({ state, phase, code, recoveryId }) => [state, phase, code, recoveryId]),
		[
			['ready', 'running', null, site.of('db1').run.memo['recoveryId']],
			['ready', 'running', null, site.of('w1').run.memo['recoveryId']],
			['ended', 'failed', 'point_unknown', site.of('w2').run.memo['recoveryId']],
		],
	);
	const { run } = site.of('db1');
	assert.equal(run.closed, undefined);
	await run.update('discard', { ...asked, confirm: 'db1' });
	await site.deliver();
	await run.complete('discard', { incidents: [], wasHere: true });
	await site.deliver();
	await run.complete('unpin');
	await site.deliver();
	assert.equal(run.closed, 'completed', 'with nobody left to tell');
});

test('by `discard-unstarted` what has not run is undone, and what has run is left as it is', async () => {
	const site = await Site.start(batchPlan({ all: ['one', 'two', 'three'] }, { onFailure: 'discard-unstarted' }));
	await site.bring('one', 'powerOn');
	await site.bring('two', 'snapshot');
	await site.of('three').run.fail('plan', 'point_unknown', 'no such point');
	await site.of('three').run.complete('undo', { wasHere: false });
	await site.deliver();
	const [one, two] = [site.of('one').run, site.of('two').run];
	assert.deepEqual([one.pendingTypes(), two.pendingTypes()], [['powerOn'], ['undo']]);
	await two.complete('undo', { wasHere: true });
	await site.deliver();
	await two.complete('unpin');
	await one.complete('powerOn');
	await site.deliver();
	assert.deepEqual([one.closed, one.attributes['RouseParked'], two.closed], [undefined, undefined, 'failed']);
	const { items, phase } = await site.batch.view();
	assert.deepEqual(
		items.map(({ state, code, reason }) => [state, code, reason]),
		[
			['ready', null, null],
			['ended', 'interrupted', 'taken back by batch site: three did not come back: no such point'],
			['ended', 'point_unknown', 'no such point'],
		],
	);
	assert.equal(phase, 'over');
});

test('a recovery that parks and goes on tells its batch both', async () => {
	const site = await Site.start(ordered);
	await site.bring('db1', 'powerOn');
	const { run } = site.of('db1');
	await run.fail('powerOn', 'hypervisor_stuck', 'it does not start');
	await site.deliver();
	const [parked] = (await site.batch.view()).items;
	assert.deepEqual([parked?.state, parked?.code], ['parked', 'hypervisor_stuck']);
	await run.update('retry', asked);
	await site.deliver();
	assert.equal((await site.batch.states())['db1'], 'starting');
	assert.equal(site.recoveries.size, 1);
	for (const retry of run.open.filter(({ type }) => type === 'retry')) await run.completeActivity(retry);
	await run.complete('powerOn');
	await site.deliver();
	assert.equal(site.recoveries.size, 3);
});
