import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatBytes } from '../../model/format-bytes.ts';
import { calledAs } from '../../cli/terminal/called-as.ts';
import { formatDuration, formatTable } from '../../cli/terminal/format.ts';
import { Output } from '../../cli/terminal/output.ts';
import { Progress } from '../../cli/terminal/progress.ts';
import { RouseError } from '../../model/errors.ts';

function sink(isTTY = false): { lines: string[]; write: (text: string) => void; isTTY: boolean } {
	const lines: string[] = [];
	return { lines, write: text => void lines.push(text), isTTY };
}

function output(options: { json?: boolean; quiet?: boolean; debug?: boolean } = {}) {
	const stdout = sink();
	const stderr = sink();
	const { json = false, quiet = false, debug = false } = options;
	return { stdout, stderr, output: new Output({ stdout, stderr, json, quiet, debug }) };
}

describe('an answer', () => {
	it('is text, or one JSON line, and always on stdout', () => {
		const text = output();
		text.output.result({ a: 1 }, 'one');
		const json = output({ json: true });
		json.output.result({ a: 1 }, 'one');
		assert.deepEqual([text.stdout.lines, json.stdout.lines], [['one\n'], ['{"a":1}\n']]);
		assert.deepEqual([text.stderr.lines, json.stderr.lines], [[], []]);
	});
});

describe('an error', () => {
	const error = new RouseError('point_unknown', 'no such point', { hint: 'look again' });

	it('is a message and a hint on stderr', () => {
		const { output: out, stderr, stdout } = output();
		out.error(error, error.exitCode);
		assert.deepEqual(stderr.lines, ['error: no such point\nlook again\n']);
		assert.deepEqual(stdout.lines, []);
	});

	it('is a document with its code and exit code with --json', () => {
		const { output: out, stderr } = output({ json: true });
		out.error(error, error.exitCode);
		assert.deepEqual(JSON.parse(stderr.lines.join('')), {
			type: 'error',
			code: 'point_unknown',
			message: 'no such point',
			hint: 'look again',
			exitCode: 5,
		});
	});

	it('has every field of the document, also when there is nothing to advise', () => {
		const { output: out, stderr } = output({ json: true });
		out.error(new RouseError('internal', 'a defect'), 1);
		const document: unknown = JSON.parse(stderr.lines.join(''));
		assert.deepEqual(document, { type: 'error', code: 'internal', message: 'a defect', hint: '', exitCode: 1 });
	});

	it('has its stack in the document with --json and --debug', () => {
		const { output: out, stderr } = output({ json: true, debug: true });
		out.error(new RouseError('internal', 'outer', { cause: new Error('inner') }), 1);
		assert.equal(stderr.lines.length, 1);
		assert.match(JSON.parse(stderr.lines.join('')).stack, /outer[\s\S]*caused by: Error: inner/);
	});

	it('shows every cause with --debug', () => {
		const { output: out, stderr } = output({ debug: true });
		out.error(new RouseError('internal', 'outer', { cause: new Error('inner') }), 1);
		assert.match(stderr.lines.join(''), /outer[\s\S]*caused by: Error: inner/);
	});
});

describe('a message', () => {
	it('is silent with --quiet, a warning is not', () => {
		const { output: out, stderr } = output({ quiet: true });
		out.message('by the way');
		out.warn('look out');
		assert.deepEqual(stderr.lines, ['warning: look out\n']);
	});
});

describe('progress', () => {
	it('says a line every ten seconds where there is no terminal', () => {
		let now = 0;
		const to = sink();
		const progress = new Progress({ label: 'import', sink: to, json: false, silent: false, now: () => now });
		for (now = 0; now <= 25_000; now += 100) progress.update({ done: now, total: 50_000, unit: 'files' });
		assert.deepEqual(to.lines, [
			'import: 20 % of 50000 files, about 40.0 s left\n',
			'import: 40 % of 50000 files, about 30.0 s left\n',
		]);
	});

	it('draws a bar on a terminal and takes it away at the end', () => {
		const to = sink(true);
		const progress = new Progress({ label: 'import', sink: to, json: false, silent: false });
		progress.update({ done: 512, total: 1024 });
		progress.end();
		assert.match(to.lines[0] ?? '', /import \[#{12}\.{12}\] 50 % of 1\.00 KiB/);
		assert.equal(to.lines.at(-1), '\r\x1b[K');
	});

	it('is lines on a terminal whose cursor cannot move', () => {
		let now = 0;
		const to = sink(true);
		const how = { label: 'import', sink: to, json: false, silent: false, dumb: true, now: () => now };
		const progress = new Progress(how);
		for (now = 0; now <= 10_000; now += 1000) progress.update({ done: 1, total: 2, unit: 'files' });
		progress.end();
		assert.deepEqual(to.lines, ['import: 50 % of 2 files\n']);
	});

	it('says what is done, and no number, before anything can be counted', () => {
		const to = sink(true);
		new Progress({ label: 'web01-r1', sink: to, json: false, silent: false }).update({
			done: 0,
			total: 0,
			note: 'starting',
		});
		assert.match(to.lines[0] ?? '', /web01-r1 starting$/);
	});

	it('never says more than 100 %', () => {
		const to = sink(true);
		new Progress({ label: 'x', sink: to, json: false, silent: false }).update({ done: 2048, total: 1024 });
		assert.match(to.lines[0] ?? '', /\] 100 % of/);
	});
});

describe('a command in a sentence', () => {
	const said = (env: NodeJS.ProcessEnv, text: string, json = false) => {
		const to = sink();
		const out = new Output({ stdout: to, stderr: to, json, quiet: false, debug: false, command: calledAs(env) });
		out.result({ next: text }, text);
		return to.lines.join('');
	};

	it('begins as Rouse was called, and nothing else changes', () => {
		const text = 'start it: rouse up; rouse recover list. rouse is in /opt/rouse up there';
		const called = 'start it: ./rouse up; ./rouse recover list. rouse is in /opt/rouse up there\n';
		assert.equal(said({ ROUSE_COMMAND: './rouse' }, text), called);
		assert.equal(said({}, text), `${text}\n`);
		assert.equal(said({ ROUSE_COMMAND: './rouse' }, 'rouse up', true), '{"next":"rouse up"}\n');
	});

	it('is plain where the name would have to be quoted', () => {
		for (const name of ['/a b/rouse', '$(x)/rouse', '/bin/sh', ''])
			assert.equal(said({ ROUSE_COMMAND: name }, 'rouse up'), 'rouse up\n');
	});
});

describe('a table', () => {
	const rows = [['web01-r1', '/srv/machines/of/the/first/floor/web01-r1']];

	it('that is wider than the terminal loses the middle of its longest cells', () => {
		assert.equal(formatTable(['NAME', 'DIRECTORY'], rows, 32), 'NAME      DIRECTORY\nweb01-r1  /srv/machin…r/web01-r1');
	});

	it('is whole where there is no terminal', () => {
		assert.match(formatTable(['NAME', 'DIRECTORY'], rows), /\/srv\/machines\/of\/the\/first\/floor\/web01-r1$/);
	});
});

describe('numbers for people', () => {
	it('are binary sizes that never round up', () => {
		assert.deepEqual([0, 1023, 1024, 1536, 1_073_741_823].map(formatBytes), [
			'0 B',
			'1023 B',
			'1.00 KiB',
			'1.50 KiB',
			'1023 MiB',
		]);
	});

	it('are durations in the unit that fits', () => {
		assert.deepEqual([38, 6_240, 200_000, 7_500_000].map(formatDuration), [
			'38 ms',
			'6.2 s',
			'3 min 20 s',
			'2 h 5 min',
		]);
	});

	it('stand in columns', () => {
		assert.equal(formatTable(['A', 'B'], [['long', 'x']]), 'A     B\nlong  x');
	});
});

describe('text that others wrote', () => {
	const hostile = 'a\u001b]0;x\u0007\u009b2J\u007f\r\u202eb\u2066';
	const shown = 'a\\u001b]0;x\\u0007\\u009b2J\\u007f\\u000d\\u202eb\\u2066';

	it('steers no terminal, in an answer, a message, an error or its causes', () => {
		const { output: out, stdout, stderr } = output({ debug: true });
		out.result({}, `${hostile}\n\tnext`);
		out.message(hostile);
		out.warn(hostile);
		out.error(new RouseError('internal', hostile, { hint: hostile, cause: new Error(hostile) }), 1);
		assert.deepEqual(stdout.lines, [`${shown}\n\tnext\n`]);
		const said = stderr.lines.join('');
		assert.equal(said.split(shown).length, 7); // message, warning, error, hint, and two stacks
		assert.doesNotMatch(said, /[\p{Cc}\u202e\u2066](?<![\n\t])/u);
	});

	it('is the same in JSON, of characters that steer no terminal', () => {
		const { output: out, stdout, stderr } = output({ json: true });
		out.result({ hostile }, '');
		out.error(new RouseError('internal', hostile), 1);
		for (const { lines } of [stdout, stderr]) assert.doesNotMatch(lines.join(''), /[\p{Cc}\u202e\u2066](?<!\n)/u);
		assert.deepEqual(JSON.parse(stdout.lines.join('')), { hostile });
	});

	it('begins no line of progress, and none of a table', () => {
		const to = sink(true);
		new Progress({ label: hostile, sink: to, json: false, silent: false }).update({ done: 0, note: `x\n${hostile}` });
		assert.equal(to.lines.join('').replace('\r\u001b[K', ''), `${shown} x\\u000a${shown}`.slice(0, 79));
		assert.equal(formatTable(['A', 'B'], [['x\ny\r', 'z']]), 'A          B\nx y\\u000d  z');
	});
});
