import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { uuidOf } from '../../appliance/inputs.ts';
import { isWanted, productionPackages, projectFolders } from '../../appliance/rouse-files.ts';
import { findReport, reportMark } from '../../appliance/report/report.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { importsOf } from '../../tools/check-imports.ts';

suite('contents of the appliance', () => {
	test('`productionPackages` leaves out what is for development', () => {
		const lock = {
			packages: {
				'': {},
				'node_modules/a': {},
				'node_modules/a/node_modules/b': {},
				'node_modules/lint': { dev: true },
				'node_modules/for-another-system': { optional: true },
			},
		};
		assert.deepEqual(productionPackages(lock), [
			{ place: 'node_modules/a', optional: false },
			{ place: 'node_modules/a/node_modules/b', optional: false },
			{ place: 'node_modules/for-another-system', optional: true },
		]);
	});

	test('`isWanted` takes the core for its own system alone, and nothing that only tools read', () => {
		for (const path of ['index.js', 'releases/x86_64-unknown-linux-gnu/index.node', 'releases', 'lib/maps.js'])
			assert.ok(isWanted(path), path);
		for (const path of [
			'releases/aarch64-apple-darwin/index.node',
			'lib/a.js.map',
			'lib/a.d.ts',
			'node_modules/b/index.js',
		])
			assert.ok(!isWanted(path), path);
	});

	test('every folder that code in it imports is in it', async () => {
		for (const folder of projectFolders)
			for (const name of await readdir(join(checkoutDirectory, folder), { recursive: true })) {
				if (!name.endsWith('.ts')) continue;
				for (const { specifier, typeOnly } of importsOf(
					await readFile(join(checkoutDirectory, folder, name), 'utf8'),
				)) {
					if (typeOnly || !specifier.startsWith('.')) continue;
					const target = join(folder, name, '..', specifier);
					const isThere = projectFolders.some(one => target.startsWith(`${one}/`));
					assert.ok(isThere, `${folder}/${name} imports ${target}`);
				}
			}
	});

	test('programs that its units start are there', async () => {
		const units = join(checkoutDirectory, 'appliance', 'root', 'etc', 'systemd', 'system');
		const started: string[] = [];
		for (const name of await readdir(units)) {
			if (!name.endsWith('.service')) continue;
			const script = /^ExecStart=\/usr\/bin\/node \/opt\/rouse\/(\S+)/m.exec(
				await readFile(join(units, name), 'utf8'),
			)?.[1];
			assert.ok(script !== undefined, name);
			assert.ok((await stat(join(checkoutDirectory, script))).isFile());
			started.push(name);
		}
		assert.equal(started.length, 4);
	});

	test('`uuidOf` is the same for the same inputs, and another for each thing', () => {
		assert.equal(uuidOf('a', 'root'), uuidOf('a', 'root'));
		assert.notEqual(uuidOf('a', 'root'), uuidOf('a', 'state'));
		assert.notEqual(uuidOf('a', 'root'), uuidOf('b', 'root'));
		assert.match(uuidOf('a', 'root'), /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
	});
});

suite('`findReport`', () => {
	const report = {
		name: null,
		seed: 'none',
		rouse: '0',
		node: 'v24',
		kernel: '6.1',
		services: {},
		supervisorListens: false,
		modules: {},
		addresses: [],
		disks: [],
	};
	const line = `[  12.3] rouse-appliance[402]: ${reportMark}${JSON.stringify(report)}`;

	test('is the line of the last boot, whatever stands before it', () => {
		const later = line.replace('"kernel":"6.1"', '"kernel":"6.2"');
		assert.equal(findReport(`boot\r\n${line}\r\nboot\r\n${later}\r\n`)?.kernel, '6.2');
	});

	test('waits for a line that is not at its end', () => {
		assert.equal(findReport(line), undefined);
	});
});
