import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { readIfThere } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';
import { captive } from './captive.ts';

const run = promisify(execFile);
/** Emulated, on a machine that does other things too. */
const bootsMs = 900_000;

export interface OrderedAppliance {
	/** Of `in-appliance/target.ts`; throws what went wrong there. */
	order: (what: string) => Promise<string>;
	/** Here, where the appliance's iSCSI port is reached. */
	iscsiPort: number;
}

/**
 * The appliance's own kernel and root file system, with `test/equipment/in-appliance/target.ts` in the place of its services:
 * by systemd.run of the kernel's command line (systemd-run-generator(8)), which the image's own boot entry does not have.
 */
export async function orderAppliance(
	t: Pick<TestContext, 'after'>,
	{ vhdxPath, directory, ports }: { vhdxPath: string; directory: string; ports: { iscsi: number; orders: number } },
): Promise<OrderedAppliance> {
	await mkdir(directory, { recursive: true });
	const at = (name: string) => join(directory, name);
	await run('qemu-img', [
		'dd',
		'-f',
		'vhdx',
		'-O',
		'raw',
		'bs=1M',
		'count=128',
		`if=${vhdxPath}`,
		`of=${at('boot.raw')}`,
	]);
	for (const name of ['vmlinuz', 'initrd.img', 'loader/entries/rouse.conf'])
		await run('mcopy', ['-i', `${at('boot.raw')}@@1M`, `::${name}`, directory]);
	const options = /^options (.+)$/m.exec(await readFile(at('rouse.conf'), 'utf8'))?.[1];
	if (options === undefined) throw new Error('the boot entry has no options');
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', vhdxPath, '-F', 'vhdx', at('disk.qcow2')]);
	await makeScriptDisk(at('scripts.raw'));
	const forwards = `hostfwd=tcp:127.0.0.1:${ports.iscsi}-:3260,hostfwd=tcp:127.0.0.1:${ports.orders}-:3300`;
	const machine = '-machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -display none';
	const qemu = captive(t, 'qemu-system-x86_64', [
		...machine.split(' '),
		'-kernel',
		at('vmlinuz'),
		'-initrd',
		at('initrd.img'),
		'-append',
		`${options} systemd.run="/bin/sh -c '${inAppliance}'"`,
		'-device',
		'virtio-scsi-pci,id=scsi0',
		'-drive',
		`if=none,id=system,format=qcow2,cache=unsafe,file=${at('disk.qcow2')}`,
		'-device',
		'scsi-hd,drive=system,bus=scsi0.0',
		'-drive',
		`if=none,id=scripts,format=raw,readonly=on,file=${at('scripts.raw')}`,
		'-device',
		'scsi-hd,drive=scripts,bus=scsi0.0,serial=scripts',
		'-netdev',
		`user,id=net0,restrict=on,${forwards}`,
		'-device',
		'virtio-net-pci,netdev=net0',
		'-chardev',
		`file,id=console,path=${at('console.log')}`,
		'-serial',
		'chardev:console',
	]);
	const said = async () => (await readIfThere(at('console.log'))) ?? '';
	const ready = async () => qemu.child.exitCode !== null || (await said()).includes('in-appliance ready');
	await waitFor('the program in the appliance', ready, { timeoutMs: bootsMs, everyMs: 500 });
	if (qemu.child.exitCode !== null) throw new Error(`QEMU ended: ${qemu.said()} ${(await said()).slice(-2_000)}`);
	return {
		iscsiPort: ports.iscsi,
		order: async what => {
			const answer = await fetch(`http://127.0.0.1:${ports.orders}/${what}`);
			const text = await answer.text();
			if (!answer.ok) throw new Error(`${what}: ${text}`);
			return text;
		},
	};
}

const place = '/opt/rouse/test/equipment/in-appliance';
/** Its files lie where they lie in a checkout, and import what they import there. */
const inAppliance = [
	`mkdir -p ${place}`,
	`mount -o ro /dev/disk/by-label/SCRIPTS ${place}`,
	'for i in /sys/class/net/e*; do ip link set $(basename $i) up && ip address add 10.0.2.15/24 dev $(basename $i); done',
	'ip link set lo up',
	`exec node ${place}/target.ts >/dev/console 2>&1`,
].join(' && ');

async function makeScriptDisk(path: string): Promise<void> {
	await run('truncate', ['--size=2M', path]);
	await run('mkfs.vfat', ['-n', 'SCRIPTS', path]);
	const scripts = ['target.ts', 'held-nbd.ts'].map(name => join(import.meta.dirname, 'in-appliance', name));
	await run('mcopy', ['-i', path, ...scripts, '::']);
}
