import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type Check, runChecks } from '../../hypervisors/hyperv/selftest/check.ts';
import { difference } from '../../hypervisors/hyperv/selftest/disk-content.ts';
import { GeneratedDisk, generatedBytes } from '../../hypervisors/hyperv/selftest/generated-disk.ts';
import { RouseError } from '../../model/errors.ts';
import { usedByDriver } from '../../tools/lint-driver.ts';

const check = (name: string, more: Partial<Check<undefined>> = {}): Check<undefined> => ({
	name,
	why: '',
	expected: '',
	run: async () => ({ asExpected: true, seen: name }),
	...more,
});

async function run(checks: Check<undefined>[], { long = false, signal = new AbortController().signal } = {}) {
	const results = await runChecks(checks, undefined, { long, signal, trying: () => {}, tell: () => {} });
	return results.map(({ name, outcome, seen, hresult }) => [name, outcome, ...(hresult ? [hresult] : []), seen]);
}

test('`runChecks`: a check that throws is otherwise, with its HRESULT, and those that need it are not tried', async () => {
	const error = new RouseError('hypervisor_failed', 'no', { details: { hresult: '0x80070005' } });
	const fails = check('first', { run: () => Promise.reject(error) });
	assert.deepEqual(await run([fails, check('second', { needs: ['first'] }), check('third', { needs: ['second'] })]), [
		['first', 'otherwise', '0x80070005', 'no'],
		['second', 'not_tried', 'it begins where first ends, which was not reached'],
		['third', 'not_tried', 'it begins where second ends, which was not reached'],
	]);
});

test('`runChecks`: one that is otherwise and got to its end is enough for those that need it', async () => {
	const otherwise = check('first', { run: async () => ({ asExpected: false, seen: 'slow' }) });
	const [, second] = await run([otherwise, check('second', { needs: ['first'] })]);
	assert.deepEqual(second, ['second', 'as_expected', 'second']);
});

test('`runChecks`: what takes minutes is tried when that is wanted', async () => {
	const long = check('long', { long: true });
	assert.deepEqual(await run([long]), [['long', 'not_tried', 'it takes minutes: ask for it with --long']]);
	assert.deepEqual(await run([long], { long: true }), [['long', 'as_expected', 'long']]);
});

test('`runChecks`: interrupted, the check that was under way and all after it were not tried', async () => {
	const interrupt = new AbortController();
	const under = check('under way', {
		run: async () => {
			interrupt.abort();
			throw interrupt.signal.reason;
		},
	});
	const said = 'the self test was interrupted';
	assert.deepEqual(await run([under, check('later')], { signal: interrupt.signal }), [
		['under way', 'not_tried', said],
		['later', 'not_tried', said],
	]);
});

test('a disk that is held answers nobody until it is released, and then everybody', () => {
	const disk = new GeneratedDisk('disk0', generatedBytes('a', 8192), offset => offset === 512);
	const into = Buffer.alloc(512);
	assert.equal(disk.readNow(into, 0, 512, 512), 'data');
	assert.ok(into.equals(disk.bytes.subarray(512, 1024)));
	disk.hold();
	const answers: unknown[] = [];
	assert.equal(disk.readNow(into, 0, 0, 512), 'later');
	disk.readLater(512, 512, answer => answers.push(answer));
	disk.readLater(0, 512, answer => answers.push(answer)).cancel();
	assert.deepEqual([answers, disk.held, disk.answered], [[], 2, 1]);
	disk.release();
	assert.deepEqual([answers, disk.answered], [[disk.bytes.subarray(512, 1024)], 2]);
});

test('`generatedBytes`: no two sectors, and no two disks, have the same', () => {
	const sectors = ['a', 'b'].flatMap(name => {
		const bytes = generatedBytes(name, 128 * 1024);
		return Array.from({ length: 256 }, (_none, at) => bytes.toString('hex', at * 512, (at + 1) * 512));
	});
	assert.equal(new Set(sectors).size, sectors.length);
});

test('`difference`: sectors that differ are counted, but for those that may', () => {
	const wanted = generatedBytes('a', 8192);
	const found = Buffer.from(wanted);
	assert.equal(difference(found, wanted), undefined);
	found[1024] = (wanted[1024] ?? 0) ^ 1;
	found[4097] = (wanted[4097] ?? 0) ^ 1;
	assert.equal(difference(found, wanted), '2 sectors differ, the first at 1024');
	assert.equal(difference(found, wanted, { offsetBytes: 1024, sizeBytes: 512 }), '1 sectors differ, the first at 4096');
});

test('the cmdlets that a host is asked for are those that the driver uses', async () => {
	const path = new URL('../../hypervisors/hyperv/selftest/used-cmdlets.json', import.meta.url);
	const written: unknown = JSON.parse(await readFile(path, 'utf8'));
	assert.deepEqual(written, await usedByDriver(), 'to mend it: node tools/write-used-cmdlets.ts');
});
