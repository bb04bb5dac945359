import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { MountMoverState } from '../../movers/config.ts';
import { change, lastingSteps, newState } from '../../supervisor/files/state.ts';
import type { MountMover } from '../../supervisor/movers/movers.ts';
import { MountMoverGate } from '../../supervisor/recovery/gate.ts';
import { waitFor } from '../../system/wait.ts';
import { HastyClock } from '../equipment/hasty-clock.ts';
import { samplePlan } from '../equipment/recoveries.ts';

const image = {
	sizeBytes: 1000,
	chunkSizeBytes: 65536,
	frameSizeBytes: 65_536,
	contentDigest: 'b'.repeat(64),
	dataBytes: 0,
};
const plan = samplePlan({ directory: '/repository', image });
const failing = 'failPending 5000';

/** A recovery that runs from a mount mover which is nothing but a number of reads that wait. */
class Gated {
	readonly name = 'r1';
	readonly clock = new HastyClock();
	readonly gate = new MountMoverGate(this, this.clock);
	/** What the mover was told, and what became of it. */
	readonly story: string[] = [];
	state = { ...change.plan(plan)(newState(randomUUID(), 'r1', 1)), done: [...lastingSteps] };
	waitingReads = 0;
	/** It does not answer the watch, or no order. */
	silent = false;
	deaf = false;
	/** It can be killed. */
	ends = true;
	looks = 0;

	readonly incidents = { add: async (kind: string) => void this.story.push(kind) };

	get equipment() {
		return { mount: this.#mount, watch: { mount: { keep: () => this.#keep() } } };
	}

	/** The chain does not need the mover any more. */
	moveOn(): void {
		this.state = change.chain('local')(this.state);
	}

	/** Takes as long as a read waits: returns how many milliseconds. */
	readonly held = async () => {
		const { clock } = this;
		const began = clock.now();
		await waitFor('no read to wait', () => this.waitingReads === 0, { timeoutMs: 60_000, clock });
		return clock.now() - began;
	};

	async #keep(): Promise<MountMoverState | undefined> {
		this.looks += 1;
		if (this.silent) return undefined;
		return {
			recoveryId: this.state.recoveryId,
			disks: [],
			waitingReads: this.waitingReads,
			oldestWaitMs: 0,
			failing: false,
			badChunks: [],
			failure: null,
			counters: {},
		};
	}

	async #order(order: string): Promise<void> {
		if (this.deaf) throw new RouseError('mover_unreachable', 'no answer');
		this.story.push(order);
		if (order === failing) this.waitingReads = 0;
	}

	readonly #mount: MountMover = {
		kind: 'mount',
		control: {
			state: () => Promise.reject(new Error('only the watch asks it')),
			firstReads: async () => null,
			failPending: forMs => this.#order(`failPending ${forMs}`),
			serve: () => this.#order('serve'),
		},
		holder: async () => undefined,
		listens: async () => true,
		start: () => this.#order('start'),
		end: async () => {
			await this.#order('end');
			return this.ends;
		},
		remove: async () => undefined,
	};
}

suite('`clear` of the gate', () => {
	test('does nothing when no read waits', async () => {
		const gated = new Gated();
		await gated.gate.clear({ patienceMs: 2_000 });
		assert.deepEqual([gated.story, gated.looks], [[], 1]);
	});

	test('fails reads that linger, after its patience', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		const ended = gated.held();
		await gated.gate.clear({ patienceMs: 2_000 });
		assert.ok((await ended) >= 2_000, 'it was not patient');
		assert.deepEqual(gated.story, [failing]);
	});

	test('lets reads end that do so within its patience', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		void gated.clock.delay(1_000).then(() => (gated.waitingReads = 0));
		await gated.gate.clear({ patienceMs: 2_000 });
		assert.deepEqual(gated.story, []);
	});

	test('waits for a mover that does not answer yet, and gives up one that never does', async () => {
		const gated = new Gated();
		gated.silent = true;
		void gated.clock.delay(5_000).then(() => (gated.silent = false));
		await gated.gate.clear({ patienceMs: 0 });
		assert.ok(gated.looks > 1);
		gated.silent = true;
		await assert.rejects(gated.gate.clear({ patienceMs: 0 }), { code: 'mover_unreachable', message: /r1/ });
	});

	test('ends with its signal', async () => {
		const gated = new Gated();
		gated.silent = true;
		const reason = new Error('enough');
		const signal = AbortSignal.abort(reason);
		await assert.rejects(gated.gate.clear({ patienceMs: 0, signal }), reason);
	});
});

suite('`pass` of the gate', () => {
	test('does the work and tells the mover nothing when no read waits', async () => {
		const gated = new Gated();
		assert.equal(await gated.gate.pass(async () => 'done', {}), 'done');
		assert.deepEqual(gated.story, []);
	});

	test('`first` fails what waits before the work, and lets the mover serve after it', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		await gated.gate.pass(async () => void gated.story.push('work'), { first: true });
		assert.deepEqual(gated.story, [failing, 'work', 'serve']);
	});

	test('fails what waits when its patience is over, not before, and lets the mover serve after the work', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		const tookMs = await gated.gate.pass(gated.held, { patienceMs: 2_000 });
		assert.ok(tookMs >= 2_000, `${tookMs} ms`);
		assert.deepEqual(gated.story, [failing, 'serve']);
	});

	test('is patient for ever by default, and keeps the mover alive meanwhile', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		void gated.clock.delay(20_000).then(() => (gated.waitingReads = 0));
		await gated.gate.pass(gated.held, {});
		assert.deepEqual(gated.story, []);
		assert.ok(gated.looks > 1);
	});

	test('whose mover dies before the order finds the next one', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		gated.deaf = true;
		void gated.clock.delay(5_000).then(() => (gated.deaf = false));
		await gated.gate.pass(gated.held, { patienceMs: 1_000 });
		assert.deepEqual(gated.story, [failing, 'serve']);
	});

	test('lets the mover serve after work that failed, and throws what it threw', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		const failure = new Error('not done');
		await assert.rejects(
			gated.gate.pass(() => Promise.reject(failure), { first: true }),
			failure,
		);
		assert.deepEqual(gated.story, [failing, 'serve']);
	});

	test('tells a mover nothing more that the work made needless', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		const work = async () => {
			gated.moveOn();
			gated.waitingReads = 1;
			await gated.clock.delay(5_000);
		};
		await gated.gate.pass(work, { first: true, patienceMs: 1_000 });
		assert.deepEqual(gated.story, [failing]);
	});
});

suite('`free` of the gate', () => {
	test('does nothing when no read waits, and says so', async () => {
		const gated = new Gated();
		assert.equal(await gated.gate.free(async () => void gated.story.push('work'), {}), false);
		assert.deepEqual(gated.story, []);
	});

	test('fails what waits, notes it, does the work and lets the mover serve', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		assert.equal(await gated.gate.free(async () => void gated.story.push('work'), {}), true);
		assert.deepEqual(gated.story, [failing, 'reads_failed', 'work', 'serve']);
	});

	test('lets the mover serve after work that failed', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		const failure = new Error('still silent');
		await assert.rejects(
			gated.gate.free(() => Promise.reject(failure), {}),
			failure,
		);
		assert.deepEqual(gated.story, [failing, 'reads_failed', 'serve']);
	});
});

test('the gate is open once the chain is not `mover`: nobody is asked, nothing is failed', async () => {
	const gated = new Gated();
	gated.waitingReads = 1;
	gated.silent = gated.deaf = true;
	gated.moveOn();
	await gated.gate.clear({ patienceMs: 0 });
	const work = () => gated.clock.delay(1_000).then(() => 'done');
	assert.equal(await gated.gate.pass(work, { first: true, patienceMs: 0 }), 'done');
	assert.equal(await gated.gate.free(async () => void gated.story.push('work'), {}), false);
	assert.deepEqual([gated.story, gated.looks], [[], 0]);
});

suite('`reopen` of the gate', () => {
	test('ends the mover, starts it and waits until it answers; what waits is not failed', async () => {
		const gated = new Gated();
		gated.waitingReads = 1;
		gated.silent = true;
		void gated.clock.delay(3_000).then(() => (gated.silent = false));
		await gated.gate.reopen({});
		assert.deepEqual(gated.story, ['end', 'start']);
		assert.ok(gated.looks > 1, 'it did not wait');
	});

	test('throws `mover_unreachable` when the mover cannot be killed, or does not answer afterwards', async () => {
		const immortal = new Gated();
		immortal.ends = false;
		await assert.rejects(immortal.gate.reopen({}), { code: 'mover_unreachable' });
		assert.deepEqual(immortal.story, ['end']);
		const silent = new Gated();
		silent.silent = true;
		await assert.rejects(silent.gate.reopen({}), { code: 'mover_unreachable' });
	});

	test('does nothing once the chain does not need the mover', async () => {
		const gated = new Gated();
		gated.moveOn();
		await gated.gate.reopen({});
		assert.deepEqual(gated.story, []);
	});
});
