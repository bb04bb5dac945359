import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkRequest, type NbdRequest, type RequestRules } from '../../nbd/server/check-request.ts';
import { NBD_CMD, NBD_CMD_FLAG, NBD_ERROR } from '../../nbd/protocol/constants.ts';

const MiB = 1024 * 1024;
const rules: RequestRules = {
	sizeBytes: 64 * MiB + 333,
	structuredReplies: true,
	contextsSelected: true,
	maximumAdvertised: false,
	writable: false,
};

function errno(request: Partial<NbdRequest>, changed: Partial<RequestRules> = {}): number {
	const whole = { type: NBD_CMD.READ, flags: 0, offset: 0, length: 512, ...request };
	return checkRequest(whole, { ...rules, ...changed })?.errno ?? 0;
}

describe('`checkRequest`', () => {
	const cases: [string, Partial<NbdRequest>, number, Partial<RequestRules>?][] = [
		['a read is valid', {}, 0],
		['a read of the last byte is valid', { offset: 64 * MiB + 332, length: 1 }, 0],
		['a read past the end', { offset: 64 * MiB + 332, length: 2 }, NBD_ERROR.EINVAL],
		['a read far beyond the end', { offset: 2 ** 64 - 512 }, NBD_ERROR.EINVAL],
		['a read of nothing', { length: 0 }, NBD_ERROR.EINVAL],
		['a read of 32 MiB is valid', { length: 32 * MiB }, 0],
		['a read over 32 MiB', { length: 32 * MiB + 1 }, NBD_ERROR.EINVAL],
		['a read over an advertised maximum', { length: 32 * MiB + 1 }, NBD_ERROR.EOVERFLOW, { maximumAdvertised: true }],
		['an unfragmented read over 32 MiB', { length: 32 * MiB + 1, flags: NBD_CMD_FLAG.DF }, NBD_ERROR.EOVERFLOW],
		['an unfragmented read is valid', { flags: NBD_CMD_FLAG.DF }, 0],
		['DF that was not offered', { flags: NBD_CMD_FLAG.DF }, NBD_ERROR.EINVAL, { structuredReplies: false }],
		['FUA, which is not offered', { flags: NBD_CMD_FLAG.FUA }, NBD_ERROR.EINVAL],
		['an unknown flag', { flags: 1 << 9 }, NBD_ERROR.EINVAL],
		['REQ_ONE of a read', { flags: NBD_CMD_FLAG.REQ_ONE }, NBD_ERROR.EINVAL],
		['a write', { type: NBD_CMD.WRITE }, NBD_ERROR.EPERM],
		['a trim', { type: NBD_CMD.TRIM }, NBD_ERROR.EPERM],
		['writing zeroes', { type: NBD_CMD.WRITE_ZEROES, flags: NBD_CMD_FLAG.NO_HOLE }, NBD_ERROR.EPERM],
		['a flush is valid', { type: NBD_CMD.FLUSH, length: 0 }, 0],
		['a flush with a range', { type: NBD_CMD.FLUSH }, NBD_ERROR.EINVAL],
		['a cache hint is valid', { type: NBD_CMD.CACHE, length: 64 * MiB }, 0],
		['a cache hint past the end', { type: NBD_CMD.CACHE, length: 65 * MiB }, NBD_ERROR.EINVAL],
		['a cache hint with a flag', { type: NBD_CMD.CACHE, flags: NBD_CMD_FLAG.DF }, NBD_ERROR.EINVAL],
		['block status is valid', { type: NBD_CMD.BLOCK_STATUS, length: 64 * MiB }, 0],
		['block status of one extent is valid', { type: NBD_CMD.BLOCK_STATUS, flags: NBD_CMD_FLAG.REQ_ONE }, 0],
		['block status past the end', { type: NBD_CMD.BLOCK_STATUS, length: 65 * MiB }, NBD_ERROR.EINVAL],
		['block status without a context', { type: NBD_CMD.BLOCK_STATUS }, NBD_ERROR.EINVAL, { contextsSelected: false }],
		['a command that nobody knows', { type: 200 }, NBD_ERROR.EINVAL],
	];
	for (const [name, request, expected, changed] of cases)
		test(`${name}: ${expected}`, () => assert.equal(errno(request, changed), expected));

	const writable = { writable: true };
	const writes: [string, Partial<NbdRequest>, number][] = [
		['a write is valid', {}, 0],
		['a durable write is valid', { flags: NBD_CMD_FLAG.FUA }, 0],
		['a write of the last byte is valid', { offset: 64 * MiB + 332, length: 1 }, 0],
		['a write past the end', { offset: 64 * MiB + 332, length: 2 }, NBD_ERROR.ENOSPC],
		['a write far beyond the end', { offset: 2 ** 64 - 512 }, NBD_ERROR.ENOSPC],
		['a write of nothing', { length: 0 }, NBD_ERROR.EINVAL],
		['a write over 32 MiB', { length: 32 * MiB + 1 }, NBD_ERROR.EINVAL],
		['a write with an unknown flag', { flags: 1 << 9 }, NBD_ERROR.EINVAL],
		['a trim, which is not offered', { type: NBD_CMD.TRIM }, NBD_ERROR.EINVAL],
		['writing zeroes, which is not offered', { type: NBD_CMD.WRITE_ZEROES }, NBD_ERROR.EINVAL],
		['a durable read is valid', { type: NBD_CMD.READ, flags: NBD_CMD_FLAG.FUA }, 0],
		['a durable flush is valid', { type: NBD_CMD.FLUSH, length: 0, flags: NBD_CMD_FLAG.FUA }, 0],
		['a flush with a range', { type: NBD_CMD.FLUSH }, NBD_ERROR.EINVAL],
	];
	for (const [name, request, expected] of writes)
		test(`of an export with a writer, ${name}: ${expected}`, () =>
			assert.equal(errno({ type: NBD_CMD.WRITE, ...request }, writable), expected));

	test('the message names command, range and size', () => {
		const refusal = checkRequest({ type: NBD_CMD.READ, flags: 0, offset: 64 * MiB, length: 512 }, rules);
		assert.equal(refusal?.message, 'NBD_CMD_READ: offset 67108864 + 512 beyond export size 67109197');
	});
});
