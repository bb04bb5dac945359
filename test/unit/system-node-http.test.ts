import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

describe('`system/node-http.ts`', () => {
	it('loads no undici, as an import of node:http does', async () => {
		const file = new URL('../../system/node-http.ts', import.meta.url).href;
		assert.equal(await loadsUndici(file), 'false\n');
		assert.equal(await loadsUndici('node:http'), 'true\n'); // else it is no good any more, or this test is none
	});
});

async function loadsUndici(specifier: string): Promise<string> {
	const program = `import ${JSON.stringify(specifier)}; console.log(process.moduleLoadList.some(name => /undici/.test(name)))`;
	return (await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])).stdout;
}
