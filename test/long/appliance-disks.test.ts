import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod';
import { buildAppliance } from '../../appliance/build.ts';
import { startWindows } from '../../cli/demo/hyperv/windows.ts';
import { control } from '../../hypervisors/hyperv/simulator/control-client.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { bootAppliance, consolePath, windowsQmp } from '../equipment/appliance-machine.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { askDriver } from '../equipment/windows-simulator.ts';

const run = promisify(execFile);
const MiB = 2 ** 20;
const recoveryId = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';
const targetSchema = z.looseObject({ virtualDiskId: z.guid() });
const slotSchema = z.strictObject({ controller: z.literal('SCSI'), number: z.int(), location: z.int() });

/** As the product does it, in the appliance. */
const inside = (call: string) =>
	`node --input-type=module -e "import * as disks from '/opt/rouse/hypervisors/hyperv/scsi-disks.ts'; ` +
	`const roots = { sys: '/sys', dev: '/dev' }; console.log(await disks.${call})"`;

test('disks that the simulated host attaches come and go in the appliance, at their controller and location', async t => {
	const { vhdxPath } = await buildAppliance({ cacheDirectory: cacheDirectory() });
	let windows: Awaited<ReturnType<typeof startWindows>> | undefined;
	const directory = await temporaryDirectory(t, async () => windows?.end());
	const machine = join(directory, 'appliance');
	await mkdir(machine);
	windows = await startWindows(join(directory, 'hv1'), {
		signal: AbortSignal.timeout(60_000),
		appliance: { qmpSocket: windowsQmp(machine), consolePath: consolePath(machine) },
	});
	const { host, driverSocket } = windows;
	const ask = async (op: string, request: object) => {
		const answer = await askDriver(driverSocket, op, { recoveryId, ...request });
		assert.ok(answer?.ok, `${op}: ${JSON.stringify(answer)}`);
		return answer.result;
	};
	const appliance = await bootAppliance(t, { vhdxPath, directory: machine, mac: '52:54:00:00:00:01', shell: true });
	const shell = await appliance.openShell();

	const disks = [];
	for (const name of ['a', 'b']) {
		const path = `D:\\Rouse\\${name}.vhdx`;
		const asked = { path, sizeBytes: 64 * MiB, whole: false, knownId: null };
		const { virtualDiskId } = targetSchema.parse(await ask('make-target', asked));
		const drive = { appliance: host.appliance, path };
		const slot = slotSchema.parse(await ask('attach-target', { ...drive, virtualDiskId }));
		const device = await shell(
			inside(`awaitDisk(roots, { virtualDiskId: '${virtualDiskId}', sizeBytes: ${64 * MiB} }, {})`),
		);
		const [place, serial] = (
			await shell(
				`basename $(readlink /sys/block/${device.slice(5)}/device); tail -c +5 /sys/block/${device.slice(5)}/device/vpd_pg80; echo`,
			)
		).split('\n');
		assert.deepEqual(slot, { controller: 'SCSI', number: 0, location: disks.length + 1 });
		assert.match(place ?? '', new RegExp(`^\\d+:0:0:${slot.location}$`));
		assert.equal(serial, virtualDiskId);
		disks.push({ path, drive, virtualDiskId, device });
	}
	const [one, other] = disks;
	assert.ok(one && other && one.device !== other.device);
	await shell(`yes rouse | dd of=${one.device} bs=1M count=3 iflag=fullblock status=none`);

	const early = await askDriver(driverSocket, 'detach-target', { recoveryId, ...one.drive });
	assert.ok(early && !early.ok, 'its kernel has the disk');
	await shell(inside(`syncDisk(roots, '${one.virtualDiskId}')`));
	await shell(inside(`letGo(roots, '${one.virtualDiskId}')`));
	await ask('detach-target', one.drive);
	await assert.rejects(shell(`test -e ${one.device}`));
	await shell(`test -e ${other.device}`);
	const file = join(windows.directory, 'drives', 'D', 'Rouse', 'a.vhdx');
	const [expected, raw] = [join(directory, 'expected'), join(directory, 'a.raw')];
	await run('sh', ['-c', `yes rouse | head -c ${3 * MiB} >${expected} && truncate -s 64M ${expected}`]);
	await run('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', file, raw]);
	await run('cmp', [expected, raw]);

	// With its power it loses none: they are there again, perhaps under other names.
	await appliance.kill();
	const again = await bootAppliance(t, { vhdxPath, directory: machine, mac: '52:54:00:00:00:01', shell: true });
	await control(windows.controlSocket, { do: 'reboot-appliance' });
	const back = await again.openShell();
	await back(inside(`awaitDisk(roots, { virtualDiskId: '${other.virtualDiskId}', sizeBytes: ${64 * MiB} }, {})`));
	await back(inside(`letGo(roots, '${other.virtualDiskId}')`));
	await ask('detach-target', other.drive);
});
