import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from '../../cli/program.ts';
import { requestOptions } from '../../cli/recover/start.ts';

async function refused(...argv: string[]): Promise<string> {
	let said = '';
	const stderr = { write: (text: string) => (said += text) };
	const code = await runProgram({ argv, env: {}, stdout: stderr, stderr, signal: new AbortController().signal });
	assert.equal(code, 2, said);
	return said;
}

const start = 'rouse recover start --help shows what is accepted\n';
const cases: [argv: string[], said: string][] = [
	[['recover', 'start'], `error: MACHINE@POINT is missing\n${start}`],
	[
		['recover', 'start', 'web01@x'],
		`error: "web01@x" is no restore point: write web01@latest or web01@2026-11-20T03:00Z\n${start}`,
	],
	[
		['recover', 'start', 'web01', '--max-rate', 'fast'],
		`error: --max-rate: "fast" is no size: write 1048576, 512K or 20MiB\n${start}`,
	],
	[
		['recover', 'start', 'web01', '--memory', 'x'],
		`error: --memory: "x" is no size of a machine's memory: write 2048 (MiB) or 2GiB\n${start}`,
	],
	[['recover', 'start', 'web01', '--wait', 'up'], `error: --wait: "up" is none of running, finished\n${start}`],
	[['recover', 'start', 'web01', '--network'], `error: --network takes a value: --network SRC=NAME\n${start}`],
	[
		['recover', 'power', 'web01-r1', 'explode'],
		'error: ACTION: "explode" is none of on, off, shutdown, reset\nrouse recover power --help shows what is accepted\n',
	],
	[
		['recover', 'discard', 'web01-r1'],
		'error: --confirm NAME is missing\nrouse recover discard --help shows what is accepted\n',
	],
	[['recover', 'mend'], "error: unknown command 'mend'\nrouse recover --help shows what is accepted\n"],
	[['mend'], "error: unknown command 'mend'\nrouse --help shows what is accepted\n"],
];
for (const [argv, said] of cases)
	test(`\`rouse ${argv.join(' ')}\` is refused in our words, with the help of that command`, async () => {
		assert.equal(await refused(...argv), said);
	});

test('what is typed for `recover start` is asked for, wishes to the platform included', () => {
	const typed = { power: 'off', finish: 'manual', switch: 'auto', allocate: 'thin', wait: 'running' } as const;
	const platform = { accelerator: 'kvm' };
	const { powerOn, platformOptions, memoryMiB } = requestOptions({ ...typed, platform, memory: 512 });
	assert.deepEqual([powerOn, platformOptions, memoryMiB], [false, platform, 512]);
});
