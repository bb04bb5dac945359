import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutPowers } from '../../system/without-powers.ts';

const program = { command: 'node', args: ['main.ts'], cwd: '/' };
const status = (capabilities: string) => async () =>
	`Name:\tnode\nCapPrm:\tffff\nCapEff:\t${capabilities}\nCapBnd:\tffff\n`;

test('`withoutPowers` leaves one that may take nothing away as it is, and takes all but that over files of the others', async () => {
	for (const weak of ['0000000000000000', '0000000000000002', '00000000000000ff'])
		assert.deepEqual(await withoutPowers(program, { status: status(weak) }), program);
	const { command, args, cwd } = await withoutPowers(program, { status: status('000001ffffffffff'), more: ['chown'] });
	assert.deepEqual([command, cwd], ['setpriv', '/']);
	assert.deepEqual(args.slice(args.indexOf('--')), ['--', 'node', 'main.ts']);
	assert.ok(args.includes('--bounding-set=-all,+dac_override,+chown'));
});
