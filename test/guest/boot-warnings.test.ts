import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { cpioOf, initramfsFiles, kernelVersion, systemFiles, writeTree } from '../equipment/guest-trees.ts';

const run = promisify(execFile);

test('`recover start --dry-run` warns of a disk whose kernel does not find it on the host, and says what was assumed', async t => {
	const here = await EmbeddedInstallation.up(t);
	const directory = await temporaryDirectory(t);
	await writeTree(join(directory, 'tree'), {
		...systemFiles({ builtIn: ['virtio_pci'], installed: ['virtio_blk', 'virtio_net'] }),
		[`boot/initrd.img-${kernelVersion}`]: zstdCompressSync(cpioOf(initramfsFiles(['ahci', 'sd_mod']))),
		'etc/fstab': '/dev/sda1 / ext4 defaults 0 1\n',
	});
	const image = join(directory, 'disk.raw');
	await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', join(directory, 'tree'), image, '16M']);
	await here.answer('backup', 'import', image, '--machine', 'web01');
	const plan = async (...options: string[]) => {
		const { home } = here.installation;
		const { stdout, stderr } = await rouse(home, ['recover', 'start', 'web01@latest', '--dry-run', ...options]);
		assert.equal(stderr, '');
		return stdout;
	};
	const asItIs = await plan();
	assert.match(
		asItIs,
		/^ {2}warning +kernel 6\.1\.0-18-amd64 has no virtio_blk built in or in its initramfs: on QEMU it does not find its disks/m,
	);
	assert.match(asItIs, /^ {2}warning +\/etc\/fstab names \/dev\/sda1: on QEMU disks are \/dev\/vda/m);
	const assumed =
		/^ {2}warning +assumed, since nobody knew what the original had: 2 vCPU, 4\.00 GiB of memory, one NIC$/m;
	assert.match(asItIs, assumed);
	assert.doesNotMatch(await plan('--platform', 'disks=sata'), /does not find|fstab/);
});
