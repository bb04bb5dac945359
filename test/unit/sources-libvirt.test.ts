import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { parseLibvirtAddress } from '../../sources/libvirt/address.ts';
import { agentOf } from '../../sources/libvirt/agent.ts';
import { backupXml, checkpointXml } from '../../sources/libvirt/begin.ts';
import { recordedSince } from '../../sources/libvirt/checkpoints.ts';
import { domainIn } from '../../sources/libvirt/domain.ts';
import { backupJob, isJobOf, jobIn, mustBeFree, operationIn } from '../../sources/libvirt/job.ts';
import { capacitiesIn, lookAtDomain } from '../../sources/libvirt/look.ts';
import { checkpointName, parseCheckpointName } from '../../sources/libvirt/names.ts';
import { LibvirtMachineSource } from '../../sources/libvirt/source.ts';
import type { Virsh } from '../../sources/libvirt/virsh.ts';
import { documentOf, elementAt } from '../../sources/libvirt/xml.ts';
import { objectName } from '../../sources/qemu/names.ts';
import { Scratch } from '../../sources/qemu/scratch.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { collect } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const owner = '6f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11/web01/0123abcd';
const owned = { tag: '0f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11', owner };
const uuid = 'ec4c8770-9a9e-4f55-807c-ef3ddf955fe4';

suite('`parseLibvirtAddress`', () => {
	test('reads domain, connection and scratch, and keeps the query to itself', () => {
		const told =
			'libvirt://Web%2001?connect=qemu+unix:///session?socket=/run/l/libvirt-sock&scratch=/srv/s&guest-agent=no';
		assert.deepEqual(parseLibvirtAddress(told), {
			uri: 'libvirt://Web%2001',
			domain: 'Web 01',
			connect: 'qemu+unix:///session?socket=/run/l/libvirt-sock',
			scratch: '/srv/s',
			freezes: false,
		});
		const { connect, freezes } = parseLibvirtAddress(`libvirt://${uuid}`);
		assert.deepEqual([connect, freezes], ['qemu:///system', true]);
	});

	for (const wrong of [
		'libvirt:///web01',
		'libvirt://-c',
		'libvirt://%2Dc',
		'libvirt://a%2Fb',
		'libvirt://web%0a01',
		'libvirt://web%E0%A4',
		'libvirt://root@web01',
		'libvirt://web01:1',
		'libvirt://web01/vda',
		'libvirt://web01#1',
		'libvirt://web01?user=x',
		'libvirt://web01?guest-agent=yes',
		'libvirt://web01?scratch=here',
		'libvirt://web01?connect=qemu+ssh://host/system',
		'libvirt://web01?connect=qemu+ext:///system?command=/bin/sh',
		'libvirt://web01?connect=qemu:///system?socket=/s%26command=/bin/sh',
		'libvirt://web01?connect=qemu:///system?socket=/s%00',
		'libvirt://web01?connect=xen:///system',
		'libvirt://web01?connect=',
	])
		test(`refuses ${wrong}`, () => {
			assert.throws(() => parseLibvirtAddress(wrong), { code: 'config_invalid', hint: /libvirt:\/\/DOMAIN/ });
		});
});

/** Parts as libvirt 9.0 writes them of a domain that runs. */
const described = `<domain type='kvm' id='7'>
  <name>web01</name>
  <uuid>${uuid}</uuid>
  <metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0"><libosinfo:name>x</libosinfo:name></libosinfo:libosinfo></metadata>
  <memory unit='KiB'>4194304</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <iothreads>1</iothreads>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'>/var/lib/libvirt/qemu/nvram/web01_VARS.fd</nvram></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>
      <source file='/var/lib/libvirt/images/a &amp; b.qcow2' index='3'/><backingStore/><target dev='vda' bus='virtio'/>
      <serial>S-1</serial><boot order='2'/><blockio logical_block_size='512' physical_block_size='4096'/></disk>
    <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/root' index='2'/>
      <target dev='sda' bus='scsi'/><boot order='1'/></disk>
    <disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='default' volume='data' index='1'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='rbd' name='pool/image'><host name='mon'/></source><target dev='vdc' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu'/><target dev='hdc' bus='ide'/><readonly/></disk>
    <disk type='block' device='lun'><source dev='/dev/sdx'/><target dev='sdb' bus='scsi'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/shared'/><target dev='vdd'/><shareable/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/fixed'/><target dev='vde'/><readonly/></disk>
    <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/root'/><target dev='vdf'/></disk>
    <interface type='bridge'><mac address='52:54:00:12:34:56'/><source bridge='br0'/><model type='virtio'/></interface>
    <interface type='network'><mac address='52:54:00:12:34:57'/><source network='lan' portid='x' bridge='virbr0'/><model type='e1000e'/></interface>
    <interface type='user'><mac address='52:54:00:12:34:58'/></interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <hostdev mode='subsystem' type='pci' managed='yes'/>
    <filesystem type='mount'><source dir='/srv/share'/><target dir='share'/></filesystem>
  </devices>
  <seclabel type='dynamic' model='apparmor' relabel='yes'><label>libvirt-x</label></seclabel>
  <seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+64056</label></seclabel>
</domain>`;

suite('the description of a domain', () => {
	test('tells its machine, and what is left out', () => {
		const { disks, leftOut, ...rest } = domainIn(described);
		assert.deepEqual(rest, {
			uuid,
			name: 'web01',
			isRunning: true,
			config: {
				cpus: 2,
				memoryMiB: 4096,
				firmware: 'efi',
				vtpm: true,
				nics: [
					{ mac: '52:54:00:12:34:56', network: 'br0' },
					{ mac: '52:54:00:12:34:57', network: 'lan' },
					{ mac: '52:54:00:12:34:58', network: 'default' },
				],
				drivers: ['virtio'],
			},
			hasIoThreads: true,
			hasAgent: true,
			user: { uid: 64_055, gid: 64_056 },
		});
		assert.deepEqual(
			disks.map(({ key, target, serial, directory, keepsBitmaps }) => [key, target, serial, directory, keepsBitmaps]),
			[
				['/dev/vg/root', 'sda', null, undefined, false],
				['/var/lib/libvirt/images/a & b.qcow2', 'vda', 'S-1', '/var/lib/libvirt/images', true],
				['default/data', 'vdb', null, undefined, true],
				['rbd:pool/image', 'vdc', null, undefined, false],
			],
		);
		assert.deepEqual(disks[1]?.sectors, { logicalSectorBytes: 512, physicalSectorBytes: 4096 });
		assert.deepEqual(
			leftOut.map(({ what }) => what),
			[
				'variables of its firmware',
				'hostdev pci',
				'share',
				'hdc',
				'/dev/sdx',
				'/srv/shared',
				'/srv/fixed',
				'/dev/vg/root',
			],
		);
	});

	test('of one that is off, on a plain PC', () => {
		const off = domainIn(
			`<domain type='qemu'><name>b</name><uuid>${uuid}</uuid><memory unit='GiB'>1</memory><os><type arch='x86_64'>hvm</type></os></domain>`,
		);
		assert.deepEqual([off.isRunning, off.config.memoryMiB, off.config.firmware], [false, 1024, 'bios']);
	});

	test('a long path is its digest, and no two of them are one key', () => {
		const disk = (path: string, dev: string) =>
			`<disk type='file'><source file='${path}'/><target dev='${dev}'/></disk>`;
		const path = `/${'a'.repeat(300)}`;
		const { disks } = domainIn(
			`<domain><name>b</name><uuid>${uuid}</uuid><devices>${disk(`${path}1`, 'vda')}${disk(`${path}2`, 'vdb')}</devices></domain>`,
		);
		assert.equal(new Set(disks.map(({ key }) => key)).size, 2);
		assert.ok(disks.every(({ key }) => /^sha256:[0-9a-f]{64}$/.test(key)));
	});

	test('what two servers call by one name are two disks, whatever slots they are in', () => {
		const disk = (dev: string, name: string, host: string) =>
			`<disk type='network'><source protocol='nbd'${name}><host ${host}/></source><target dev='${dev}'/></disk>`;
		const [one, other, third] = ["name='h' port='10809'", "name='h' port='10810'", "transport='unix' socket='/run/n'"];
		const keysOf = (...disks: string[]) =>
			domainIn(`<domain><name>b</name><uuid>${uuid}</uuid><devices>${disks.join('')}</devices></domain>`).disks.map(
				({ key }) => key,
			);
		assert.deepEqual(keysOf(disk('vda', " name='d'", one), disk('vdb', " name='d'", other), disk('vdc', '', third)), [
			'nbd:d@h:10809',
			'nbd:d@h:10810',
			'nbd:@/run/n',
		]);
		assert.deepEqual(keysOf(disk('vda', '', third)), ['nbd:@/run/n']);
	});
});

suite('names of checkpoints', () => {
	test('say whose they are, in letters that libvirt takes', () => {
		const mark = { ...owned, set: randomUUID() };
		assert.match(checkpointName(mark), /^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{1,250}$/);
		assert.deepEqual(parseCheckpointName(checkpointName(mark)), mark);
		for (const theirs of ['nightly', 'rouse.x', `${checkpointName(mark)}.2`, ''])
			assert.equal(parseCheckpointName(theirs), undefined);
	});
});

/** Answers by their commands; others are refused. */
function saying(answers: Readonly<Record<string, string>>, asked: string[][] = []): Virsh {
	return async (command, args) => {
		asked.push([command, ...args]);
		const said = answers[command];
		if (said === undefined) throw new RouseError('source_invalid', `${command}: no`, { details: { refused: true } });
		return said;
	};
}

suite('what was written since a checkpoint', () => {
	const set = randomUUID();
	const since = { tag: owned.tag, checkpoint: { set } };
	const name = checkpointName({ ...owned, set });
	const { disks } = domainIn(described);
	const dump = `<domaincheckpoint><name>${name}</name><disks>
    <disk name='sda' checkpoint='no'/>
    <disk name='vda' checkpoint='bitmap' bitmap='${name}' size='65536'/>
    <disk name='vdb' checkpoint='bitmap' bitmap='${name}'/></disks></domaincheckpoint>`;
	const recorded = async (answers: Readonly<Record<string, string>>, of: typeof since | null) => [
		...(await recordedSince(saying(answers), { uuid, disks }, of, signal)).values(),
	];

	test('is told where libvirt relies on the bitmap, and else why not', async () => {
		const raw = { why: 'it is no qcow2 image: libvirt records nothing of it' };
		assert.deepEqual(await recorded({ 'checkpoint-list': `theirs\n${name}\n\n`, 'checkpoint-dumpxml': dump }, since), [
			raw,
			{ name, bytes: 65_536 },
			{ why: 'its bitmap is gone, or was in use when QEMU was killed' },
			raw,
		]);
	});

	test('is not told by a checkpoint that a later begin of the same import has left', async () => {
		const later = checkpointName({ ...owned, set: randomUUID() });
		const told = await recorded({ 'checkpoint-list': later }, since);
		assert.deepEqual(told[1], { why: 'the checkpoint of what was written to it is gone' });
	});
});

suite('the backup job', () => {
	const socket = `/srv/${objectName(owned)}/q/nbd`;
	test('is ours when it hands out the disks where an import of ours says', () => {
		const job = jobIn(`<domainbackup mode='pull'><server transport='unix' socket='${socket}'/><disks/></domainbackup>`);
		assert.ok(isJobOf(owned, job));
		assert.ok(!isJobOf({ ...owned, tag: randomUUID() }, job));
		assert.ok(!isJobOf(owned, jobIn("<domainbackup mode='push'><disks/></domainbackup>")));
		assert.ok(
			!isJobOf(owned, jobIn("<domainbackup mode='pull'><server transport='tcp' name='::1' port='1'/></domainbackup>")),
		);
	});

	test('its operation is told by its word', () => {
		assert.equal(operationIn('Job type:         None        \n\n'), undefined);
		assert.equal(
			operationIn('Job type:         Unbounded   \nOperation:        Backup      \nTime elapsed:     1\n'),
			'Backup',
		);
	});

	test('is none when libvirt describes none and does not say that it is at work, in whatever language', async () => {
		assert.equal(await backupJob(saying({ domjobinfo: 'Job type:         None\n\n' }), uuid, signal), undefined);
	});

	test('of an import that nobody goes on with is found where it is, whatever the address says by now', async t => {
		const directory = await temporaryDirectory(t);
		const scratch = Scratch.of(directory, owned);
		await mkdir(scratch.path);
		await writeFile(join(scratch.path, 'owner.json'), JSON.stringify(owned));
		const job = `<domainbackup mode='pull'><server transport='unix' socket='${scratch.socket}'/></domainbackup>`;
		const virsh = saying({ dumpxml: described, 'backup-dumpxml': job, 'checkpoint-list': '' });
		const source = new LibvirtMachineSource('libvirt://web01?scratch=/srv/other', { virsh });
		const found = await collect(source.leftovers(owner, signal));
		assert.deepEqual(
			found.map(({ tag }) => tag),
			[owned.tag],
		);
	});

	test('is gone with a domain that is off, which is unreachable as long as there is a checkpoint to be deleted', async () => {
		const abandon = (checkpoints: string) => {
			const virsh = saying({ dumpxml: described.replace(" id='7'", ''), 'checkpoint-list': checkpoints });
			return new LibvirtMachineSource('libvirt://web01', { virsh }).abandon({ ...owned, identity: uuid }, signal);
		};
		await abandon('theirs\n');
		await assert.rejects(abandon(checkpointName({ ...owned, set: randomUUID() })), { code: 'source_unreachable' });
	});

	test('that libvirt knows nothing of is told of, with what ends it', async () => {
		const virsh: Virsh = async () => {
			throw new RouseError('source_invalid', 'internal error: backup job data missing', { details: { refused: true } });
		};
		await assert.rejects(mustBeFree(virsh, uuid, signal), { code: 'source_busy', hint: /power the machine off/ });
	});

	test('is ordered in XML that says what was meant, whatever paths are called', () => {
		const made = {
			target: 'vda',
			scratchFile: "/s/it's <a>&b",
			name: 'rouse-0-0',
			since: undefined,
			keepsBitmaps: true,
		};
		const common = { name: 'vda', backup: 'yes', type: 'file', exportname: 'rouse-0-0' };
		const written = documentOf(backupXml(socket, [made, { ...made, since: 'cp' }]));
		const disks = elementAt(written, 'disks')?.children ?? [];
		assert.deepEqual(
			disks.map(({ attributes }) => Object.fromEntries(attributes.map(({ name, value }) => [name, value]))),
			[
				{ ...common, backupmode: 'full' },
				{ ...common, backupmode: 'incremental', incremental: 'cp', exportbitmap: 'rouse-0-0' },
			],
		);
		const [scratch] = disks.map(disk => elementAt(disk, 'scratch')?.attributes[0]?.value);
		assert.equal(scratch, "/s/it's <a>&b");
		const checkpoint = documentOf(checkpointXml('cp', [made, { ...made, target: 'vdb', keepsBitmaps: false }]));
		assert.deepEqual(
			elementAt(checkpoint, 'disks')?.children.map(({ attributes }) => attributes.map(({ value }) => value)),
			[
				['vda', 'bitmap'],
				['vdb', 'no'],
			],
		);
	});
});

test('a domain that virsh takes for another one by its number is machine_unknown', async () => {
	const virsh = saying({ dumpxml: described });
	const uri = 'libvirt://7';
	await assert.rejects(lookAtDomain(virsh, { domain: '7', uri }, signal), { code: 'machine_unknown', hint: /UUID/ });
	for (const domain of ['web01', uuid, uuid.toUpperCase()])
		assert.equal((await lookAtDomain(virsh, { domain, uri }, signal)).uuid, uuid);
});

test('sizes are read off the table of `domblkinfo`', () => {
	const table =
		' Target   Capacity   Allocation   Physical\n--------\n vda      1048576    200704       262656\n hdc      -          -            -\n';
	assert.deepEqual([...capacitiesIn(table)], [['vda', 1_048_576]]);
});

suite("the guest's agent", () => {
	const says = { domfsinfo: '', domfsfreeze: 'Froze 2 filesystem(s)\n\n', domfsthaw: 'Thawed 1 filesystem(s)\n\n' };

	test('is asked where its channel is open, by libvirt', async () => {
		const asked: string[][] = [];
		const agent = agentOf(saying(says, asked), { uuid, hasAgent: true });
		assert.deepEqual([await agent.answers(), await agent.freeze(), await agent.thaw()], [true, 2, 1]);
		assert.deepEqual(
			asked,
			['domfsinfo', 'domfsfreeze', 'domfsthaw'].map(command => [command, '--domain', uuid]),
		);
		assert.equal(await agentOf(saying(says), { uuid, hasAgent: false }).answers(), false);
	});

	test('is told to thaw until libvirt is done with a freeze that has taken too long', async () => {
		let busy = 2;
		const virsh: Virsh = async () => {
			if (busy-- > 0) throw new RouseError('source_busy', 'cannot acquire state change lock (held by agent=x)');
			return says.domfsthaw;
		};
		assert.equal(await agentOf(virsh, { uuid, hasAgent: true }).thaw(), 1);
	});

	test('that refuses does not answer, has frozen nothing, and does not say that it has thawed', async () => {
		const agent = agentOf(saying({}), { uuid, hasAgent: true });
		assert.deepEqual([await agent.answers(), await agent.freeze(), await agent.thaw()], [false, 0, undefined]);
	});
});
