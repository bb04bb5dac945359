import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { checkoutDirectory } from '../../system/checkout.ts';
import { makeSbom } from '../../tools/sbom.ts';

const lockSchema = z.object({
	packages: z.record(z.string(), z.object({ version: z.string(), integrity: z.string().optional() })),
});

test('`makeSbom` has every package of the lock file with its digest, Node, Temporal and the Go modules of its build', async () => {
	const { components } = await makeSbom();
	const refs = new Set(components.map(component => component['bom-ref']));
	assert.equal(refs.size, components.length, 'each once');
	const lock = lockSchema.parse(JSON.parse(await readFile(join(checkoutDirectory, 'package-lock.json'), 'utf8')));
	for (const [path, { version, integrity }] of Object.entries(lock.packages)) {
		if (path === '') continue;
		const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
		const component = components.find(one => one['bom-ref'] === `${name}@${version}`);
		const sha512 = Buffer.from(integrity?.replace('sha512-', '') ?? '', 'base64').toString('hex');
		assert.deepEqual(component?.['hashes'], [{ alg: 'SHA-512', content: sha512 }], path);
	}
	const of = (ref: RegExp) => components.filter(({ purl }) => ref.test(purl));
	for (const ref of [/^pkg:generic\/node@24\./, /^pkg:github\/temporalio\/cli@v1\./]) {
		const [found] = of(ref);
		const downloads = z.array(
			z.looseObject({ url: z.url(), hashes: z.tuple([z.object({ content: z.hash('sha256') })]) }),
		);
		assert.equal(downloads.parse(found?.['externalReferences']).length, 4);
	}
	const sums = await readFile(join(checkoutDirectory, 'tools', 'temporal', 'go.sum'), 'utf8');
	const modules = of(/^pkg:golang\//);
	assert.ok(modules.length > 150, String(modules.length));
	for (const { name, version } of modules)
		assert.ok(sums.includes(`${String(name)} ${version}/go.mod h1:`), String(name));
});
