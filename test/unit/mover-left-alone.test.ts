import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { leftAlone, Visitors } from '../../movers/left-alone.ts';
import { TestClock } from '../equipment/test-clock.ts';

const nobody = { visited: () => false, needed: async () => false, aloneMs: 60_000 };

test('`leftAlone` of a mover that nobody uses or needs comes after its time', async () => {
	const clock = new TestClock();
	await leftAlone({ ...nobody, clock });
	assert.equal(clock.now(), 61_000);
});

test('`leftAlone` counts anew from every visit', async () => {
	const clock = new TestClock();
	const visits = [false, false, false, true, false];
	await leftAlone({ ...nobody, clock, visited: () => visits.shift() ?? false });
	assert.equal(clock.delays.length, 4 + 4);
});

test('`leftAlone` does not come while the mover is needed, or nobody knows', async () => {
	const clock = new TestClock();
	const answers = [async () => true, () => Promise.reject(new Error('EIO')), async () => false];
	await leftAlone({ ...nobody, clock, needed: () => answers.shift()?.() ?? Promise.resolve(false) });
	assert.deepEqual([answers.length, clock.delays.length], [0, 4 + 2]);
});

test('`leftAlone` of a mover that was stopped for hours takes that for one look', async () => {
	const clock = new TestClock();
	const looks: number[] = [];
	const visited = () => {
		looks.push(clock.now());
		if (looks.length === 1) clock.ms += 10_000_000;
		return looks.length === 2; // who waited for it to go on
	};
	await leftAlone({ ...nobody, clock, visited });
	assert.equal(looks.length, 2 + 4);
});

test('`Visitors.came` tells of a connection that stays and, once, of one that came and went', () => {
	const server = new EventEmitter();
	const visitors = new Visitors();
	// Of a server only its event is asked for.
	visitors.watch(server as unknown as Parameters<Visitors['watch']>[0]);
	const told = [visitors.came];
	const socket = new EventEmitter();
	server.emit('connection', socket);
	told.push(visitors.came, visitors.came);
	socket.emit('close');
	told.push(visitors.came);
	const short = new EventEmitter();
	server.emit('connection', short);
	short.emit('close');
	told.push(visitors.came, visitors.came);
	assert.deepEqual(told, [false, true, true, false, true, false]);
});
