import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { runProgram } from '../../cli/program.ts';
import { RouseError } from '../../model/errors.ts';
import type { LookProgress } from '../../sources/image-check.ts';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const gibibyte = 2 ** 30;
const clusterBytes = 2 ** 21;
/** Of eight bytes for each cluster. */
const diskBytesPerTable = (clusterBytes / 8) * clusterBytes;
const tables = 2 ** 15;

/** A disk of 16 PiB whose L2 tables, 64 GiB of them, are all there and all empty: to read them takes half a minute at best. */
async function imageOfManyTables(t: TestContext): Promise<string> {
	const image = join(await temporaryDirectory(t), 'many.qcow2');
	const sizeBytes = tables * diskBytesPerTable;
	await run('qemu-img', ['create', '-f', 'qcow2', '-o', `cluster_size=${clusterBytes}`, image, '1G']);
	const file = await open(image, 'r+');
	const l1At = gibibyte;
	const l1 = Buffer.alloc(tables * 8);
	for (let index = 0; index < tables; index++)
		l1.writeBigUInt64BE(BigInt(2 * gibibyte + index * clusterBytes), index * 8);
	const header = Buffer.alloc(24);
	header.writeBigUInt64BE(BigInt(sizeBytes));
	header.writeUInt32BE(tables, 12); // entries of the L1 table, and its place
	header.writeBigUInt64BE(BigInt(l1At), 16);
	await file.write(header, 0, 8, 24);
	await file.write(header, 12, 12, 36);
	await file.write(l1, 0, l1.length, l1At);
	await file.close();
	await truncate(image, 2 * gibibyte + tables * clusterBytes);
	return image;
}

test('`openSource` tells how far it has looked at the tables of an image, and its signal ends that', async t => {
	const image = await imageOfManyTables(t);
	const ending = new AbortController();
	const told: LookProgress[] = [];
	const onLook = (progress: LookProgress) => {
		told.push(progress);
		if (told.length === 4) ending.abort(new RouseError('interrupted', 'enough'));
	};
	await assert.rejects(openSource(image, { signal: ending.signal, onLook }), { code: 'interrupted' });
	const totalBytes = tables * diskBytesPerTable;
	const expected = [0, 1, 2, 3].map(table => ({ path: image, doneBytes: table * diskBytesPerTable, totalBytes }));
	assert.deepEqual(told, expected);
});

test('`backup import` shows a terminal that it looks at tables, and Ctrl-C ends it there', async t => {
	const home = await temporaryDirectory(t);
	const image = await imageOfManyTables(t);
	const ending = new AbortController();
	let said = '';
	const stderr = {
		isTTY: true,
		write: (text: string) => {
			said += text;
			if (text.includes('looking at')) ending.abort(new RouseError('interrupted', 'interrupted'));
		},
	};
	const rouse = (...argv: string[]) =>
		runProgram({ argv, env: { ROUSE_HOME: home }, stdout: { write: () => {} }, stderr, signal: ending.signal });
	assert.equal(await rouse('repo', 'init', join(home, 'main')), 0);
	assert.equal(await rouse('backup', 'import', image, '--machine', 'web01'), 130);
	assert.match(said, /looking at \[\.+\] 0 % of 16\.0 PiB, tables of many\.qcow2/);
});

test('each format tells how far its tables were looked at', async t => {
	const directory = await temporaryDirectory(t);
	for (const format of ['qcow2', 'vmdk', 'vdi', 'vpc', 'vhdx']) {
		const image = join(directory, `image.${format}`);
		await run('qemu-img', ['create', '-f', format, image, '64M']);
		if (format === 'qcow2' || format === 'vmdk') await run('qemu-io', ['-f', format, '-c', 'write -P 1 0 64k', image]);
		const told: LookProgress[] = [];
		const { signal } = new AbortController();
		const source = await openSource(image, { signal, onLook: progress => void told.push(progress) });
		await source.close();
		assert.equal(told[0]?.doneBytes, 0, format);
		assert.equal(told[0]?.totalBytes, source.sizeBytes, format);
	}
});
