import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hintOf } from '../../cli/hints.ts';
import { adoptText } from '../../cli/recover/next-text.ts';
import { tooLate } from '../../client/orders.ts';
import { decideStart } from '../../client/start-decision.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import { refuseTooLarge } from '../../model/machine-size.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

const existing = (changes: Partial<RecoverySummary> = {}) => summaryOf(makeRequest(), changes);

/** Of the error that starting another request under the same name throws. */
function hintOfConflict(changes: Partial<RecoverySummary>): string | undefined {
	try {
		decideStart(existing(changes), 'd'.repeat(64), { again: false, removed: false });
	} catch (error) {
		assert.ok(error instanceof RouseError);
		return hintOf(error);
	}
	return assert.fail('no conflict');
}

describe('the hint of an error', () => {
	it('is its own when it has one', () => {
		assert.equal(
			hintOf(new RouseError('supervisor_unreachable', 'x', { hint: 'look into the log' })),
			'look into the log',
		);
	});

	it('for a machine that is larger than its host is the order that makes it smaller', () => {
		const tooLarge = () => refuseTooLarge({ memoryMiB: 4_194_304 }, 'host local', { totalMiB: 16_000 });
		assert.throws(tooLarge, (error: RouseError) => {
			assert.match(hintOf(error) ?? '', /same rouse recover start with --memory 12000MiB$/);
			return error.code === 'precheck_failed' && /4\.00 TiB .* 15\.6 GiB/.test(error.message);
		});
	});

	it('for a service that does not answer is how it is started', () => {
		for (const code of ['temporal_unreachable', 'supervisor_unreachable', 'worker_missing'] as const)
			assert.match(hintOf(new RouseError(code, 'x')) ?? '', /rouse up --detach/);
	});

	it('for a parked recovery is what to mend and how to go on', () => {
		const details = { recovery: 'web01-r1', code: 'space_short', next: 'retry', first: 'make room in /srv' };
		assert.equal(
			hintOf(new RouseError('parked', 'x', { details })),
			'make room in /srv, then: rouse recover retry web01-r1',
		);
	});

	it('for an order that an error asks for is its command', () => {
		const details = { recovery: 'web01-r1', next: 'power-on' };
		assert.equal(hintOf(new RouseError('phase_wrong', 'x', { details })), 'rouse recover power web01-r1 on');
	});

	it('for an import is a command of backups, and for a schedule that is not there none that removes it', () => {
		const hint = (code: ErrorCode, details: Record<string, string>) =>
			hintOf(new RouseError(code, 'x', { details })) ?? '';
		for (const code of ['import_unknown', 'name_conflict', 'phase_wrong', 'worker_missing'] as const)
			assert.match(hint(code, { import: 'web01', source: 'web' }), /rouse backup (status|watch web;)/);
		for (const [member, commands] of [
			['importSchedule', 'rouse backup schedule'],
			['drillSchedule', 'rouse drill schedule'],
		] as const) {
			assert.equal(hint('import_unknown', { [member]: 'web' }), `what there is: ${commands} list`);
			assert.ok(hint('name_conflict', { [member]: 'web' }).endsWith(`to make it anew: ${commands} remove web`));
		}
	});

	it('for the name of a machine that was removed is --again', () => {
		const details = { recovery: 'web01-r1', phase: 'finished', workflow: 'COMPLETED', removed: true };
		assert.match(hintOf(new RouseError('name_conflict', 'x', { details })) ?? '', /^use the name again with --again/);
	});

	it('for an order that its host did not take names abandon, as the last resort', () => {
		const details = { recovery: 'web01-r1', missing: 'host' };
		assert.match(
			hintOf(new RouseError('worker_missing', 'x', { details })) ?? '',
			/^start what is missing: rouse up --detach\..* gone for good, and only then: rouse recover abandon web01-r1 --confirm web01-r1$/,
		);
	});

	it('for an abandon that was refused is the discard', () => {
		const details = { recovery: 'web01-r1', order: 'abandon', next: 'discard' };
		assert.equal(
			hintOf(new RouseError('phase_wrong', 'x', { details })),
			'rouse recover discard web01-r1 --confirm web01-r1',
		);
	});

	it('is none for an error that nothing is known about', () => {
		assert.equal(hintOf(new RouseError('io_failed', 'x')), undefined);
	});

	it('for a machine that nobody knows is where those are that are known', () => {
		const hint = hintOf(new RouseError('recovery_unknown', 'no machine web01 on this host'));
		assert.equal(hint, 'what there is: rouse host list, rouse recover list');
	});

	it('for a switch before anything is copied is the order that copies', () => {
		const details = { recovery: 'web01-r1', phase: 'running', order: 'switch' };
		const hint = hintOf(new RouseError('phase_wrong', 'x', { details }));
		assert.equal(hint, 'copy its disks first: rouse recover migrate web01-r1');
	});
});

describe('the hint for a name that is taken', () => {
	it('by a recovery that runs says what can be done about that', () => {
		const hint = hintOfConflict({ phase: 'running', workflow: 'RUNNING' }) ?? '';
		assert.match(hint, /rouse recover show web01-r1;.*--name NAME;.*discard web01-r1 --confirm web01-r1, .*--again$/);
	});

	it('by a finished machine says how the name is freed', () => {
		assert.match(hintOfConflict({}) ?? '', /--again: rouse host remove web01-r1 --confirm web01-r1/);
	});

	it('by a discarded recovery is --again, by one that runs to look at it, by one that was ended by force to adopt it', () => {
		assert.match(hintOfConflict({ phase: 'discarded' }) ?? '', /with --again/);
		assert.match(hintOfConflict({ phase: 'running', workflow: 'RUNNING' }) ?? '', /rouse recover show web01-r1/);
		assert.match(
			hintOfConflict({ phase: 'running', workflow: 'TERMINATED' }) ?? '',
			/rouse recover adopt web01-r1; if not, say --again/,
		);
	});
});

describe('the hint for an order that comes too late', () => {
	it('names the command of the host that does it, for a finished machine', () => {
		assert.match(hintOf(tooLate(existing(), 'discard')) ?? '', /rouse host remove web01-r1 --confirm web01-r1/);
		assert.match(hintOf(tooLate(existing(), 'power')) ?? '', /rouse host stop web01-r1/);
		assert.match(hintOf(tooLate(existing(), 'migrate')) ?? '', /the machine is yours: rouse host show web01-r1/);
	});

	it('is to adopt it when the workflow was ended by force', () => {
		const ended = existing({ phase: 'migrating', workflow: 'TERMINATED' });
		assert.equal(hintOf(tooLate(ended, 'discard')), adoptText('web01-r1'));
	});

	it('says that a machine which was switched goes once it is finished', () => {
		const details = { recovery: 'web01-r1', phase: 'switching', order: 'discard' };
		assert.match(
			hintOf(new RouseError('phase_wrong', 'x', { details })) ?? '',
			/once it is finished: rouse host remove/,
		);
	});
});
