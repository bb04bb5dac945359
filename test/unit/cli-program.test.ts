import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { runProgram } from '../../cli/program.ts';
import { errorCodes, exitCodeOf } from '../../model/errors.ts';

async function run(...argv: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
	const written = { stdout: '', stderr: '' };
	const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
	const exitCode = await runProgram({
		argv,
		env: { ROUSE_HOME: '/nonexistent' },
		stdout: sink('stdout'),
		stderr: sink('stderr'),
		signal: new AbortController().signal,
	});
	return { exitCode, ...written };
}

describe('a command line', () => {
	it('answers on stdout and says nothing else', async () => {
		const { exitCode, stdout, stderr } = await run('version');
		assert.equal(exitCode, 0);
		assert.match(stdout, /^rouse \d+\.\d+\.\d+/);
		assert.equal(stderr, '');
	});

	it('answers with one JSON document for --json, wherever that stands', async () => {
		for (const argv of [
			['version', '--json'],
			['--json', 'version'],
			['-V', '--json'],
		]) {
			const { stdout } = await run(...argv);
			assert.equal(typeof JSON.parse(stdout).version, 'string');
		}
	});

	it('with an unknown option ends with 2 and says on stderr what is accepted', async () => {
		const { exitCode, stdout, stderr } = await run('version', '--nope');
		assert.equal(exitCode, 2);
		assert.equal(stdout, '');
		assert.match(stderr, /^error: unknown option '--nope'\n.*--help/);
	});

	it('that cannot be understood gives a JSON error with --json', async () => {
		const { exitCode, stderr } = await run('version', 'more', '--json');
		const error: unknown = JSON.parse(stderr);
		assert.equal(exitCode, 2);
		assert.ok(typeof error === 'object' && error !== null && 'type' in error && 'exitCode' in error && 'code' in error);
		assert.deepEqual([error.type, error.code, error.exitCode], ['error', 'usage', 2]);
	});

	it('refuses to discard when the name was not typed twice', async () => {
		const { exitCode, stderr } = await run('recover', 'discard', 'web01-r1', '--confirm', 'web01');
		assert.equal(exitCode, 2);
		assert.match(stderr, /--confirm says "web01", the name is "web01-r1"/);
	});

	it('without a verb shows the verbs and ends with 2', async () => {
		const { exitCode, stderr } = await run('recover');
		assert.equal(exitCode, 2);
		assert.match(stderr, /Usage: rouse recover/);
	});

	it('with a name that is none says what a name is', async () => {
		const { exitCode, stderr } = await run('recover', 'show', 'Web_01');
		assert.equal(exitCode, 2);
		assert.match(stderr, /a name is 1 to 40 of a-z/);
	});
});

describe('docs/cli.md', () => {
	it('explains every exit code that an error can end with', async () => {
		const text = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
		const explained = new Set(
			[...text.matchAll(/^\| (\d+(?:, \d+)*) \| /gm)].flatMap(([, codes = '']) => codes.split(', ')),
		);
		const missing = errorCodes.filter(code => !explained.has(String(exitCodeOf(code))));
		assert.deepEqual(missing, []);
	});

	it('names every command', async () => {
		const text = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
		const { stdout } = await run('--help');
		const nouns = [...stdout.matchAll(/^ {2}([a-z]+) (?:\[| {2,})/gm)].map(([, noun = '']) => noun);
		assert.ok(nouns.length > 10);
		assert.deepEqual(
			nouns.filter(noun => noun !== 'help' && !text.includes(noun)),
			[],
		);
	});
});
