import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { check, importsOf, objection } from '../../tools/check-imports.ts';
import { circlesOf, objectionsToCircles } from '../../tools/import-circles.ts';
import { objectionsToThreads } from '../../tools/thread-imports.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

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
		['keeper/keeper.ts', code('../workers/temporal-server.ts'), false],
		['keeper/keeper.ts', code('../workers/run.ts'), true],
		['keeper/keeper.ts', code('../cli/version.ts'), true],
		['client/orders.ts', code('../workflows/contracts.ts'), false],
		['client/orders.ts', code('../workflows/run.ts'), true],
		['client/orders.ts', code('../cli/terminal/format.ts'), true],
		['client/orders.ts', code('commander'), true],
		['cli/recover/orders.ts', code('../../client/orders.ts'), false],
		['cli/recover/orders.ts', code('@temporalio/client'), true],
		['cli/recover/orders.ts', code('commander'), false],
		['model/machine.ts', code('./${name}.ts'), true],
		['model/machine.ts', code('where'), true],
		['model/deep/machine.ts', code('../names.ts'), false],
		['elsewhere/a.ts', code('./b.ts'), true],
		['system/unix-http.ts', code('node:http'), true],
		['system/unix-http.ts', type('node:http'), false],
		['test/equipment/captive.ts', code('node:http'), false],
	] as const)
		it(`${refused ? 'yes' : 'no'}: ${file} ${found.typeOnly ? 'import type' : 'import'} ${found.specifier}`, () => {
			assert.equal(objection(file, found) !== undefined, refused);
		});
});

const graph = (imports: Record<string, string[]>) =>
	new Map(Object.entries(imports).map(([file, targets]) => [file, new Set(targets)]));

describe('`circlesOf`', () => {
	it('tells a circle once, as a path from its first file by name, and leaves out who only leads to it', () => {
		const files = { 'z.ts': ['c.ts'], 'c.ts': ['a.ts'], 'a.ts': ['b.ts', 'd.ts'], 'b.ts': ['c.ts'], 'd.ts': [] };
		assert.deepEqual(circlesOf(graph(files)), [['a.ts', 'b.ts', 'c.ts', 'a.ts']]);
	});

	it('tells each of two circles that share a file', () => {
		const files = { 'a.ts': ['b.ts', 'c.ts'], 'b.ts': ['a.ts'], 'c.ts': ['a.ts'] };
		assert.deepEqual(circlesOf(graph(files)), [
			['a.ts', 'b.ts', 'a.ts'],
			['a.ts', 'c.ts', 'a.ts'],
		]);
	});

	it('tells a file that imports itself, and nothing of two ways to the same file', () => {
		const files = { 'a.ts': ['b.ts', 'c.ts'], 'b.ts': ['d.ts'], 'c.ts': ['d.ts'], 'd.ts': ['d.ts'] };
		assert.deepEqual(circlesOf(graph(files)), [['d.ts', 'd.ts']]);
	});
});

describe('`objectionsToThreads`', () => {
	it('is to a package that a program of a thread loads, over whatever files, and tells the way', () => {
		const files = { 'a-thread.ts': ['b.ts'], 'b.ts': ['a-thread.ts', 'node:fs', 'zod'], 'c.ts': ['yaml'] };
		assert.deepEqual(objectionsToThreads(graph(files)), ['a thread loads zod: a-thread.ts -> b.ts -> zod']);
	});

	it('is not to what a thread is there for, nor to threads of tests', () => {
		const files = { 'a-thread.ts': ['@napi-rs/blake-hash', 'node:zlib'], 'test/b-thread.ts': ['zod'] };
		assert.deepEqual(objectionsToThreads(graph(files)), []);
	});
});

describe('`objectionsToCircles`', () => {
	it('is to a circle between folders of a root folder, over different files and however deep', () => {
		const files = graph({ 's/a/1.ts': ['s/b/1.ts'], 's/b/x/2.ts': ['s/a/2.ts'], 's/a/2.ts': ['s/3.ts'] });
		assert.deepEqual(objectionsToCircles(files), ['circle of imports: s/a -> s/b -> s/a']);
	});

	it("is not to a folder and its root folder's files, nor to folders of different root folders", () => {
		const files = graph({
			's/a/1.ts': ['s/2.ts', 't/a/1.ts'],
			's/3.ts': ['s/a/1.ts'],
			't/a/2.ts': ['s/a/2.ts'],
		});
		assert.deepEqual(objectionsToCircles(files), []);
	});
});

describe('`check`', () => {
	it('finds circles of types, of calls and of statements in the files themselves', async t => {
		const root = await temporaryDirectory(t);
		await mkdir(join(root, 'model'));
		await writeFile(join(root, 'model', 'a.ts'), "import type { B } from './b.ts';\n");
		await writeFile(join(root, 'model', 'b.ts'), "const c = await import('./c.ts');\n");
		await writeFile(join(root, 'model', 'c.ts'), "\n\nexport * from './a.ts';\nimport { d } from '../d.ts';\n");
		assert.deepEqual(await check(root), [
			'model/c.ts:4: model may not import d.ts',
			'circle of imports: model/a.ts -> model/b.ts -> model/c.ts -> model/a.ts',
		]);
	});
});
