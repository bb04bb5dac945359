import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const dmtf = 'http://schemas.dmtf.org';

export interface DescribedDisk {
	href: string;
	/** Address of a specification, or of oVirt what it calls the format. */
	format?: string;
	volumeFormat?: string;
	bytes: number;
}

/** A description of a machine with these disks on SCSI, the first one at 0:0. Files and items are in the order turned round. */
export function describe(disks: readonly DescribedDisk[], name = 'web01'): string {
	const format = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
	const turned = disks.map((disk, index) => ({ ...disk, index })).toReversed();
	const files = turned.map(({ href, index }) => `<File ovf:id="f${index}" ovf:href="${href}"/>`);
	const described = turned.map(disk => {
		const volume = disk.volumeFormat === undefined ? '' : ` ovf:volume-format="${disk.volumeFormat}"`;
		return `<Disk ovf:diskId="d${disk.index}" ovf:fileRef="f${disk.index}" ovf:capacity="${disk.bytes}" ovf:format="${disk.format ?? format}"${volume}/>`;
	});
	const items = turned.map(
		({ index }) =>
			`<Item><rasd:AddressOnParent>${index}</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/d${index}</rasd:HostResource><rasd:InstanceID>${10 + index}</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>`,
	);
	return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="${dmtf}/ovf/envelope/1" xmlns:ovf="${dmtf}/ovf/envelope/1" xmlns:rasd="${dmtf}/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
<References>${files.join('')}</References><DiskSection><Info/>${described.join('')}</DiskSection>
<VirtualSystem ovf:id="${name}"><Info/><OperatingSystemSection ovf:id="96"><Info/></OperatingSystemSection><VirtualHardwareSection><Info/>
<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>3</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>640</rasd:VirtualQuantity></Item>
<Item><rasd:Address>0</rasd:Address><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType></Item>${items.join('')}
<Item><rasd:Address>00:50:56:01:02:03</rasd:Address><rasd:Connection>lan</rasd:Connection><rasd:InstanceID>20</rasd:InstanceID><rasd:ResourceType>10</rasd:ResourceType></Item>
<vmw:Config vmw:key="firmware" vmw:value="efi"/></VirtualHardwareSection></VirtualSystem></Envelope>`;
}

/** Writes a manifest of files in a directory as ovftool does, and gives its name. */
export async function writeManifest(directory: string, stem: string, names: readonly string[]): Promise<string> {
	const digest = async (name: string) =>
		createHash('sha256')
			.update(await readFile(join(directory, name)))
			.digest('hex');
	const lines = await Promise.all(names.map(async name => `SHA256(${name})= ${await digest(name)}\n`));
	await writeFile(join(directory, `${stem}.mf`), lines.join(''));
	return `${stem}.mf`;
}

/** Packs files of a directory, in this order. */
export async function pack(
	directory: string,
	name: string,
	members: readonly string[],
	options: readonly string[] = ['--format=ustar'],
): Promise<string> {
	await run('tar', [...options, '-C', directory, '-cf', join(directory, name), ...members]);
	return join(directory, name);
}

const sectorBytes = 512;

/**
 * Makes of a stream of qemu-img one as VMware writes it: the place of the grain directory is in a footer, since whoever writes a
 * stream does not know it before. "Virtual Disk Format 5.0", "Stream-Optimized Compressed Sparse Extents".
 */
export async function withFooter(path: string): Promise<void> {
	const file = await open(path, 'r+');
	try {
		const footer = Buffer.alloc(sectorBytes);
		await file.read(footer, 0, sectorBytes, 0);
		await file.write(Buffer.alloc(8, 0xff), 0, 8, 56);
		const marker = Buffer.alloc(sectorBytes);
		marker.writeBigUInt64LE(1n, 0);
		marker.writeUInt32LE(3, 12);
		await appendFile(path, Buffer.concat([marker, footer, Buffer.alloc(sectorBytes)]));
	} finally {
		await file.close();
	}
}
