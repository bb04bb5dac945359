import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { isOff, isRefusal, virshAt } from '../../sources/libvirt/virsh.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

suite('what virsh says', () => {
	for (const [said, code] of [
		[
			'failed to connect to the hypervisor\nerror: Failed to connect socket to x: Connection refused',
			'source_unreachable',
		],
		[
			'Disconnected from qemu:///system due to end of file\nerror: End of file while reading data: Input/output error',
			'source_unreachable',
		],
		["failed to get domain 'nosuch'", 'machine_unknown'],
		[
			'Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainBackupBegin)',
			'source_busy',
		],
		[
			'操作中にタイムアウト: 状態変更ロックを獲得できません (monitor=remoteDispatchDomainBackupBegin が保持)',
			'source_busy',
		],
		['Requested operation is not valid: domain is not running', 'source_unreachable'],
		['Operation not supported: cannot perform disk backup for inactive domain', 'source_unreachable'],
		["checkpoint inconsistent: missing or broken bitmap 'x' for disk 'vda'", 'source_invalid'],
	] as const)
		test(`is ${code}: ${said.slice(0, 60)}`, async t => {
			const directory = await temporaryDirectory(t);
			const program = join(directory, 'virsh');
			await writeFile(program, `#!/bin/sh\ncat >&2 <<'END'\nerror: ${said}\nEND\nexit 1\n`);
			await chmod(program, 0o755);
			const before = process.env['PATH'];
			process.env['PATH'] = `${directory}:${before}`;
			t.after(() => void (process.env['PATH'] = before));
			const thrown = await virshAt('qemu:///system')('dumpxml', [], {}).catch((error: unknown) => error);
			assert.ok(thrown instanceof RouseError);
			assert.equal(thrown.code, code);
			assert.equal(isRefusal(thrown), code === 'source_invalid');
			assert.equal(isOff(thrown), /running|inactive/.test(said));
		});
});
