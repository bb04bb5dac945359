import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { isSealed, PayloadCipher } from '../../system/payload-cipher.ts';
import { ClientCodec, workerCodec } from '../../system/payload-codec.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const cipher = new PayloadCipher(Buffer.alloc(32, 7));
const another = new PayloadCipher(Buffer.alloc(32, 8));
const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{"machine":"web01"}') };

suite('`PayloadCipher`', () => {
	test('opens what it has sealed, whatever that is', () => {
		const bytes = fc.uint8Array().map(array => Buffer.from(array));
		fc.assert(
			fc.property(fc.dictionary(fc.string(), bytes), bytes, (metadata, data) => {
				const sealed = cipher.seal({ metadata, data });
				assert.ok(isSealed(sealed));
				const opened = cipher.open(sealed);
				assert.deepEqual(Object.entries(opened.metadata ?? {}), Object.entries(metadata));
				assert.deepEqual(opened.data, data);
			}),
		);
	});

	test('tells nothing of the content, and seals the same anew each time', () => {
		const [one, other] = [cipher.seal(plain), cipher.seal(plain)];
		assert.ok(!Buffer.from(one.data ?? []).includes('web01'));
		assert.notDeepEqual(one.data, other.data);
	});

	test('refuses what was altered anywhere, cut short or sealed by another key', () => {
		const sealed = cipher.seal(plain);
		const data = Buffer.from(sealed.data ?? []);
		for (let at = 0; at < data.length; at++) {
			const altered = Buffer.from(data);
			altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
			assert.throws(() => cipher.open({ ...sealed, data: altered }), { code: 'format_damaged' });
		}
		for (const length of [0, 11, 12, 27, data.length - 1])
			assert.throws(() => cipher.open({ ...sealed, data: data.subarray(0, length) }), { code: 'format_damaged' });
		assert.throws(() => another.open(sealed), { code: 'config_invalid' });
	});

	test('takes a key of 64 hexadecimal digits from a file and nothing else', async t => {
		const directory = await temporaryDirectory(t);
		const path = join(directory, 'key');
		await assert.rejects(PayloadCipher.read(path), { code: 'config_invalid' });
		for (const text of ['', 'secret', 'g'.repeat(64), '0'.repeat(63), `${'0'.repeat(64)}\n${'0'.repeat(64)}`]) {
			await writeFile(path, text, { mode: 0o600 });
			await assert.rejects(PayloadCipher.read(path), { code: 'config_invalid' }, text);
		}
		await writeFile(path, `${randomBytes(32).toString('hex')}\n`);
		const read = await PayloadCipher.read(path);
		assert.deepEqual(read.open(read.seal(plain)), plain);
	});
});

suite('the codec', () => {
	test('of a worker refuses what it cannot open, and takes what was never sealed', async () => {
		const codec = await workerCodec({ address: 'a', namespace: 'n' });
		assert.deepEqual(await codec.decode(await codec.encode([plain])), [plain]);
		await assert.rejects(codec.decode([cipher.seal(plain)]), { code: 'config_invalid' });
	});

	test('of a client takes what it cannot open for null', async () => {
		for (const codec of [new ClientCodec(), new ClientCodec(another)]) {
			const [opened] = await codec.decode([cipher.seal(plain)]);
			assert.equal(Buffer.from(opened?.data ?? []).toString(), 'null');
		}
		const codec = new ClientCodec(cipher);
		assert.deepEqual(await codec.decode(await codec.encode([plain])), [plain]);
		assert.deepEqual(await codec.decode([plain]), [plain]);
	});
});
