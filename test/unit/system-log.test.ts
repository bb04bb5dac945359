import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { RouseError } from '../../model/errors.ts';
import { createLog } from '../../system/log.ts';

/** A log whose lines are kept, as far as `room` lets them in. */
function kept({ level = 'info', room = (bytes: number) => bytes } = {}) {
	const parts: Buffer[] = [];
	const write = (bytes: Uint8Array) => {
		const written = room(bytes.length);
		parts.push(Buffer.from(bytes.subarray(0, written)));
		return written;
	};
	const lines = () => Buffer.concat(parts).toString('utf8').trimEnd().split('\n');
	const documents = () => lines().map((line): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>);
	return { log: createLog('tester', { level, write }), lines, documents };
}

describe('`createLog`', () => {
	it('writes JSON lines with time, level, service, pid and what the child is bound to', () => {
		const { log, documents } = kept();
		log.child({ recovery: 'web01-r1', disk: 'disk0' }).warn({ attempt: 3 }, 'said');
		const [{ time, ...line } = {}] = documents();
		assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
		const where = { recovery: 'web01-r1', disk: 'disk0', attempt: 3 };
		assert.deepEqual(line, { level: 'warn', service: 'tester', pid: process.pid, ...where, msg: 'said' });
	});

	it('writes nothing that steers the terminal of who reads it, and the same document', () => {
		const { log, lines, documents } = kept();
		const hostile = 'a\u001b[2J\u009b2J\u007f\u202eb';
		log.info({ recovery: hostile }, hostile);
		assert.match(lines().join(''), /^[ -~]*$/);
		assert.deepEqual(
			documents().map(({ recovery, msg }) => [recovery, msg]),
			[[hostile, hostile]],
		);
	});

	it('leaves out what is below the level, and takes `info` for one that is none, and says so', () => {
		const quiet = kept({ level: 'warn' });
		quiet.log.info('not said');
		quiet.log.warn('said');
		assert.deepEqual(
			quiet.documents().map(({ msg }) => msg),
			['said'],
		);
		const wrong = kept({ level: 'loud' });
		wrong.log.debug('not said');
		wrong.log.info('said');
		assert.deepEqual(
			wrong.documents().map(({ msg }) => msg),
			['ROUSE_LOG is none of the levels; info is taken', 'said'],
		);
	});

	it('writes an error with code, hint and causes, also one of another realm, and nothing that hangs on it', () => {
		const { log, documents } = kept();
		const cause: unknown = runInNewContext('new TypeError("inner")');
		const error = Object.assign(new RouseError('io_failed', 'outer', { hint: 'mend it', cause }), { failure: 'proto' });
		log.error({ error }, 'said');
		const written = documents()[0]?.['error'];
		const outer = { name: 'RouseError', code: 'io_failed', message: 'outer', hint: 'mend it' };
		assert.partialDeepStrictEqual(written, { ...outer, cause: { name: 'TypeError', message: 'inner' } });
		assert.deepEqual(Object.keys(written ?? {}).toSorted(), [...Object.keys(outer), 'cause', 'stack'].toSorted());
	});

	it('writes an error that is its own cause', () => {
		const { log, documents } = kept();
		const error = new Error('again');
		error.cause = error;
		log.error({ err: error }, 'said');
		assert.equal(documents()[0]?.['msg'], 'said');
	});

	it('throws nothing when a line cannot be written, and writes the next', () => {
		let full = true;
		const { log, documents } = kept({
			room: bytes => {
				if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
				return bytes;
			},
		});
		log.info('lost');
		full = false;
		log.info('said');
		assert.deepEqual(
			documents().map(({ msg }) => msg),
			['said'],
		);
	});

	it('begins a new line after one that was cut off', () => {
		let left = 20;
		const { log, lines } = kept({ room: bytes => Math.min(bytes, left) });
		log.info('cut');
		left = 1000;
		log.info('said');
		assert.equal(lines().length, 2);
		assert.match(lines()[1] ?? '', /^\{.*"msg":"said"\}$/);
	});
});
