import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importsOf, objection } from '../../tools/check-imports.ts';

const code = (specifier: string) => ({ specifier, typeOnly: false });
const type = (specifier: string) => ({ specifier, typeOnly: true });

describe('`importsOf`: the imports of a file', () => {
	it('are found in statements over several lines, re-exports, effects and calls', () => {
		const source = [
			'import {',
			'\ta,',
			'\ttype B,',
			"} from '../a/a.ts';",
			"export * from './b.ts';",
			"import './c.ts';",
			"const d = await import('../d/d.ts');",
		].join('\n');
		assert.deepEqual(
			importsOf(source).toSorted((x, y) => x.line - y.line),
			[
				{ specifier: '../a/a.ts', typeOnly: false, line: 1 },
				{ specifier: './b.ts', typeOnly: false, line: 5 },
				{ specifier: './c.ts', typeOnly: false, line: 6 },
				{ specifier: '../d/d.ts', typeOnly: false, line: 7 },
			],
		);
	});

	it('are found in calls with another quote, and in calls of what is no literal', () => {
		const source = 'await import(`../a.ts`);\nawait import(`../${b}.ts`);\nawait import(where.to);';
		assert.deepEqual(
			importsOf(source).map(found => found.specifier),
			['../a.ts', '../${b}.ts', 'where.to'],
		);
	});

	it('are types only when the whole statement says so', () => {
		const source =
			"import type { A } from './a.ts';\nimport { type B } from './b.ts';\nexport type { C } from './c.ts';";
		assert.deepEqual(
			importsOf(source).map(found => found.typeOnly),
			[true, false, true],
		);
	});

	it('are not looked for in comments, and a comment in a string is none', () => {
		const source =
			"// import '../x.ts'\n/* import '../y.ts'; */\nconst url = 'http://z'; // from 'w'\nimport '../v.ts';";
		assert.deepEqual(
			importsOf(source).map(found => found.specifier),
			['../v.ts'],
		);
	});
});

describe('`objection`: an import is refused', () => {
	for (const [file, found, refused] of [
		['model/machine.ts', code('./names.ts'), false],
		['model/machine.ts', code('../system/wait.ts'), true],
		['model/machine.ts', code('node:fs'), true],
		['repository/points.ts', code('../model/names.ts'), false],
		['repository/points.ts', code('../movers/config.ts'), true],
		['nbd/client/client.ts', code('../protocol/constants.ts'), false],
		['nbd/client/client.ts', code('../server/session.ts'), true],
		['nbd/client/client.ts', code('../../repository/import/disk-source.ts'), true],
		['nbd/server/options.ts', code('./export.ts'), false],
		['nbd/server/options.ts', code('../client/options.ts'), true],
		['nbd/protocol/codec.ts', code('node:net'), true],
		['nbd/protocol/codec.ts', code('../server/session.ts'), true],
		['nbd/elsewhere.ts', code('./protocol/codec.ts'), true],
		['sources/qemu-nbd.ts', code('../nbd/client/client.ts'), false],
		['sources/qemu-nbd.ts', code('../movers/config.ts'), true],
		['movers/mount-mover/mount-mover.ts', code('../../nbd/server/server.ts'), false],
		['workflows/recovery.ts', type('../activities/control-activities.ts'), false],
		['workflows/recovery.ts', code('../activities/control-activities.ts'), true],
		['workflows/recovery.ts', code('node:crypto'), true],
		['activities/host/power.ts', code('../../supervisor/client.ts'), false],
		['activities/host/power.ts', code('../../supervisor/state.ts'), true],
		['supervisor/main.ts', code('@temporalio/client'), true],
		['workers/run.ts', code('@temporalio/worker'), false],
		['workers/run.ts', code('../client/connection.ts'), true],
		['client/up/ready.ts', code('../../workers/temporal-server.ts'), false],
		['client/up/ready.ts', code('../../workers/run.ts'), true],
		['model/machine.ts', code('./${name}.ts'), true],
		['model/machine.ts', code('where'), true],
		['model/deep/machine.ts', code('../names.ts'), false],
		['elsewhere/a.ts', code('./b.ts'), true],
	] as const)
		it(`${refused ? 'yes' : 'no'}: ${file} ${found.typeOnly ? 'import type' : 'import'} ${found.specifier}`, () => {
			assert.equal(objection(file, found) !== undefined, refused);
		});
});
