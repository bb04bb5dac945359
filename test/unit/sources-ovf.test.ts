import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { machineSpecSchema } from '../../model/machine.ts';
import { parseDescriptor } from '../../sources/ovf/descriptor.ts';
import { isApplianceName, namesMeant } from '../../sources/ovf/file-names.ts';
import { parseManifest } from '../../sources/ovf/manifest.ts';
import { osFamilyOf } from '../../sources/ovf/os-family.ts';
import { quantityBytes, unitBytes } from '../../sources/ovf/units.ts';
import { parseXml } from '../../sources/parse-xml.ts';
import { byHand, ovirt, virtualBox, virtualBox2, vsphere } from '../equipment/ovf-samples.ts';

const machineIn = (text: string) => parseDescriptor(Buffer.from(text), 'web01.ovf');

/** Changes a sample at a place that it must have. */
const changed = (sample: string, ...changes: readonly [from: string, to: string][]) =>
	changes.reduce((text, [from, to]) => {
		assert.ok(text.includes(from), from);
		return text.replace(from, to);
	}, sample);

const refused = (expected: RegExp) => (error: unknown) =>
	error instanceof RouseError && error.code === 'source_invalid' && expected.test(error.message);

describe('`parseDescriptor`', () => {
	it('reads what vSphere writes', () => {
		const { name, disks, stated, drivers, doubts } = machineIn(vsphere);
		assert.equal(name, 'web01');
		const bytes = 2 ** 30;
		assert.deepEqual(disks, [
			{ href: 'web01-1.vmdk', format: 'vmdk', capacityBytes: 16 * bytes, place: 'SCSI 0:0', bus: '' },
			{ href: 'web01-2.vmdk', format: 'vmdk', capacityBytes: 2 * bytes, place: 'SCSI 0:1', bus: '' },
		]);
		assert.deepEqual(stated, {
			cpus: 4,
			memoryMiB: 8192,
			firmware: 'efi',
			secureBoot: true,
			vtpm: true,
			nics: [{ mac: '00:50:56:8a:01:02', network: 'VM Network' }],
			os: 'windows',
		});
		assert.deepEqual([drivers, doubts], [[], []]);
	});
	it('reads what VirtualBox writes, IDE before SATA', () => {
		const { name, disks, stated } = machineIn(virtualBox);
		assert.equal(name, 'debian');
		assert.deepEqual(
			disks.map(({ href, place }) => [href, place]),
			[
				['debian-disk001.vmdk', 'IDE 1:1'],
				['data disk.vmdk', 'SATA 0:0'],
			],
		);
		assert.deepEqual(stated, {
			cpus: 3,
			memoryMiB: 1024,
			firmware: 'efi',
			vtpm: true,
			nics: [
				{ mac: '08:00:27:a1:b2:c3', network: 'NAT' },
				{ mac: '08:00:27:a1:b2:c4', network: 'Bridged' },
			],
			os: 'linux',
		});
	});
	it('reads OVF 2, whose fields are of other classes', () => {
		const { disks, stated } = machineIn(virtualBox2);
		assert.deepEqual(
			disks.map(({ href }) => href),
			['ubuntu-disk1.vmdk'],
		);
		assert.deepEqual(stated, { cpus: 1, memoryMiB: 512, nics: [{ network: 'NAT' }], os: 'linux' });
	});
	it('reads what oVirt writes: the disk that is marked boots, and raw is raw whatever its format is called', () => {
		const { name, disks, stated, drivers } = machineIn(ovirt);
		assert.equal(name, undefined); // "pay roll"
		assert.deepEqual(
			disks.map(({ href, format }) => [href, format]),
			[
				['1d0a8f58-0002', 'raw'],
				['1d0a8f58-0001', 'qcow2'],
			],
		);
		assert.deepEqual(stated, {
			cpus: 4,
			memoryMiB: 2048,
			firmware: 'efi',
			secureBoot: true,
			vtpm: true,
			nics: [{ mac: '56:6f:1a:2b:00:01', network: 'ovirtmgmt' }],
			os: 'linux',
		});
		assert.deepEqual(drivers, ['virtio']);
		const first = changed(ovirt, ['ovf:boot="true"', 'ovf:boot="false"']);
		assert.deepEqual(machineIn(first).drivers, [], 'the first is on virtio-scsi');
		for (const [type, firmware] of [
			['0', 'bios'],
			['1', 'bios'],
			['2', 'efi'],
		] as const)
			assert.equal(machineIn(changed(ovirt, ['<BiosType>3', `<BiosType>${type}`])).stated.firmware, firmware);
	});
	it('reads what people write by hand: other prefixes, attributes without a namespace, an empty disk, no network card', () => {
		const { name, disks, stated } = machineIn(byHand);
		assert.equal(name, 'vm-101');
		assert.deepEqual(
			disks.map(({ href, capacityBytes }) => [href, capacityBytes]),
			[
				['vm-101-disk-0.vmdk', 5 * 2 ** 30],
				[undefined, 2 ** 30],
			],
		);
		assert.deepEqual(stated, { cpus: 2, memoryMiB: 2048, nics: [], os: 'linux' });
	});
	it('puts first what VMware boots first', () => {
		const section =
			'<vmw:BootOrderSection vmw:instanceId="11" vmw:type="disk"><Info/></vmw:BootOrderSection></VirtualSystem>';
		const { disks } = machineIn(changed(vsphere, ['</VirtualSystem>', section]));
		assert.deepEqual(
			disks.map(({ href }) => href),
			['web01-2.vmdk', 'web01-1.vmdk'],
		);
	});
	it('goes by the number of a controller, and by its place where two have the same', () => {
		const cd = '<Item ovf:required="false"><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:InstanceID>9';
		const controller = (address: string) =>
			`<Item><rasd:Address>${address}</rasd:Address><rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType></Item>`;
		/** The disk that is described last moves to a second controller, or the first one does. */
		const first = (moved: string, address: string, ofFirst = '0') =>
			machineIn(
				changed(
					vsphere,
					[cd, `${controller(address)}${cd}`],
					[
						`<rasd:InstanceID>${moved}</rasd:InstanceID><rasd:Parent>3`,
						`<rasd:InstanceID>${moved}</rasd:InstanceID><rasd:Parent>4`,
					],
					['<rasd:AddressOnParent>1', '<rasd:AddressOnParent>0'],
					['<Item><rasd:Address>0<', `<Item><rasd:Address>${ofFirst}<`],
				),
			).disks[0]?.href;
		assert.equal(first('10', '1'), 'web01-2.vmdk');
		assert.equal(first('11', '1'), 'web01-1.vmdk');
		assert.equal(first('11', '0'), 'web01-1.vmdk');
		assert.equal(first('11', '0', '1'), 'web01-2.vmdk');
	});
	it('takes the items of the default configuration, and leaves out limits', () => {
		const cpu = (attribute: string, count: number) =>
			`<Item ${attribute}><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>${count}</rasd:VirtualQuantity></Item>`;
		const options =
			'<DeploymentOptionSection><Info/><Configuration ovf:id="small"/><Configuration ovf:id="large" ovf:default="true"/></DeploymentOptionSection><VirtualSystem ';
		const plain = '<Item><rasd:AllocationUnits>hertz';
		const limited = changed(vsphere, [plain, `${cpu('ovf:bound="min"', 1)}${plain}`]);
		assert.equal(machineIn(limited).stated.cpus, 4);
		const more = `${cpu('ovf:configuration="large"', 16)}${cpu('ovf:configuration="small"', 1)}<vmw:Config `;
		assert.equal(machineIn(changed(limited, ['<VirtualSystem ', options], ['<vmw:Config ', more])).stated.cpus, 16);
	});
	it('tells what it does not take, and keeps the rest', () => {
		const odd = changed(
			vsphere,
			['<rasd:VirtualQuantity>4<', '<rasd:VirtualQuantity>4000<'],
			['byte * 2^20', 'fathoms'],
			['00:50:56:8a:01:02', '01:50:56:8a:01:02'],
		);
		const { stated, doubts } = machineIn(odd);
		assert.equal(doubts.length, 3, doubts.join('\n'));
		assert.deepEqual([stated.cpus, stated.memoryMiB, stated.nics], [undefined, undefined, [{ network: 'VM Network' }]]);
	});
	it('takes an address of one card alone', () => {
		const { stated, doubts } = machineIn(changed(virtualBox, ['080027A1B2C4', '080027A1B2C3']));
		assert.deepEqual(stated.nics, [{ mac: '08:00:27:a1:b2:c3', network: 'NAT' }, { network: 'Bridged' }]);
		assert.match(doubts.join(), /network card 2 is not taken: another one has it/);
	});
	it('gives only what a specification may state', () => {
		for (const sample of [vsphere, virtualBox, virtualBox2, ovirt, byHand])
			assert.ok(machineSpecSchema.safeParse(machineIn(sample).stated).success);
	});
});

describe('`parseDescriptor` refuses', () => {
	const system = '<VirtualSystem ovf:id="two"><Info/></VirtualSystem></Envelope>';
	const cases: [what: string, text: string, expected: RegExp][] = [
		['several machines, by their names', changed(vsphere, ['</Envelope>', system]), /describes 2 machines: Web01, two/],
		[
			'several machines in a collection',
			changed(vsphere, [
				'</Envelope>',
				`<VirtualSystemCollection>${system}`.replace('</Envelope>', '</VirtualSystemCollection></Envelope>'),
			]),
			/describes 2 machines/,
		],
		['no machine', vsphere.replace(/<VirtualSystem [^]*<\/VirtualSystem>/, ''), /describes no machine/],
		['a machine without disks', vsphere.replaceAll('<rasd:ResourceType>17', '<rasd:ResourceType>99'), /no hard disk/],
		[
			'a disk that is not described',
			changed(vsphere, ['ovf:/disk/vmdisk1', 'ovf:/disk/other']),
			/"ovf:\/disk\/other", which it does not describe/,
		],
		[
			'a file that is not named',
			changed(vsphere, ['ovf:id="file1"', 'ovf:id="other"']),
			/in file file1, which it does not name/,
		],
		[
			'a snapshot',
			changed(vsphere, ['ovf:diskId="vmdisk1"', 'ovf:parentRef="vmdisk0" ovf:diskId="vmdisk1"']),
			/only a part: the rest is in disk vmdisk0/,
		],
		[
			'a compressed file',
			changed(vsphere, ['ovf:id="file1"', 'ovf:id="file1" ovf:compression="gzip"']),
			/web01-1\.vmdk is compressed as a whole \(gzip\)/,
		],
		[
			'a file in pieces',
			changed(vsphere, ['ovf:id="file1"', 'ovf:id="file1" ovf:chunkSize="1000"']),
			/cut into pieces/,
		],
		['a format that is not known', changed(byHand, ['vmdk.html#streamOptimized', 'other']), /which is not known/],
		['an empty disk without a size', changed(byHand, ['capacity="1" ', 'capacity="${size}" ']), /its size is not said/],
		['another namespace', vsphere.replaceAll('ovf/envelope/1', 'ovf/envelope/9'), /no description of a machine/],
		['another root', '<?xml version="1.0"?><html/>', /begins with html/],
		[
			'a document type',
			`<!DOCTYPE Envelope SYSTEM "file:///etc/passwd">${vsphere.slice(vsphere.indexOf('<Envelope'))}`,
			/:1:\d+: a document type/,
		],
		[
			'entities',
			`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>${vsphere.slice(vsphere.indexOf('<Envelope'))}`,
			/a document type/,
		],
		['an entity that nothing declares', changed(vsphere, ['<Name>Web01', '<Name>&xxe;']), /undefined entity/],
		[
			'a prefix that nothing declares',
			changed(vsphere, ['<Name>Web01</Name>', '<x:Name/>']),
			/unbound namespace prefix/,
		],
		[
			'an end that does not match',
			changed(vsphere, ['</Name>', '</Nome>']),
			/web01\.ovf:\d+:\d+: .*(unexpected|unmatched)/,
		],
		['a text that is cut', vsphere.slice(0, 2000), /unclosed/],
		['nothing', '', /document must contain a root element/],
		['endless nesting', '<a>'.repeat(100_000), /nested deeper than 64/],
		['endless elements', `<a>${'<b/>'.repeat(100_001)}</a>`, /more than 100000 elements/],
		[
			'more disks than a machine has, before any is looked up',
			changed(vsphere, [
				'</VirtualHardwareSection>',
				`${'<Item><rasd:ResourceType>17</rasd:ResourceType></Item>'.repeat(63)}</VirtualHardwareSection>`,
			]),
			/its machine has 65 disks, and 64 at most are kept/,
		],
		['another encoding', '<?xml version="1.0" encoding="UTF-16"?><a/>', /UTF-16, and UTF-8 is read/],
	];
	for (const [what, text, expected] of cases) it(what, () => assert.throws(() => machineIn(text), refused(expected)));
	it('what is no UTF-8', () => {
		assert.throws(() => parseDescriptor(Buffer.from([0xff, 0xfe, 0x3c, 0x00]), 'x.ovf'), refused(/no text in UTF-8/));
	});
	it('nothing but by a `RouseError`, whatever is changed', () => {
		fc.assert(
			fc.property(fc.nat(vsphere.length - 1), fc.nat(40), fc.string({ maxLength: 8 }), (at, length, text) => {
				try {
					machineIn(vsphere.slice(0, at) + text + vsphere.slice(at + length));
				} catch (error) {
					assert.ok(error instanceof RouseError);
				}
			}),
			{ numRuns: 200 },
		);
	});
});

describe('`parseXml`', () => {
	it('leaves nothing that a terminal takes for an order, however it is written', () => {
		for (const [text, read] of [
			['<a b="&#155;2J">\u009b<![CDATA[\u0085]]></a>', { attributes: [{ value: '\ufffd2J' }], text: '\ufffd\ufffd' }],
			[
				'<?xml version="1.1"?><a b="&#27;[2J&#9;">&#x1b;</a>',
				{ attributes: [{ value: '\ufffd[2J\t' }], text: '\ufffd' },
			],
		] as const)
			assert.partialDeepStrictEqual(parseXml(Buffer.from(text), 'x.ovf'), read);
	});
});

describe('`isApplianceName`', () => {
	it('is of files alone', () => {
		assert.deepEqual(['a/b.OVA', 'b.ovf', 'b.vmdk', 'nbd://host/b.ova'].filter(isApplianceName), ['a/b.OVA', 'b.ovf']);
	});
});

describe('`namesMeant`', () => {
	it('takes a name as it is, and as the address that it may be', () => {
		assert.deepEqual(namesMeant('disk%201.vmdk'), ['disk%201.vmdk', 'disk 1.vmdk']);
		assert.deepEqual(namesMeant('100%.vmdk'), ['100%.vmdk']);
	});
	it('refuses what leads out of the appliance', () => {
		const names = [
			'/etc/shadow',
			'../x.vmdk',
			'a/../../x',
			'sub/x.vmdk',
			'..',
			'.',
			'',
			'a\\b',
			'http://host/x.vmdk',
			'nbd:unix:/s',
			'json:{}',
			'%2e%2e',
			'..%2fx',
			'%2fetc%2fshadow',
			'a%00b',
			'a\nb',
			'x'.repeat(300),
		];
		for (const name of names) assert.throws(() => namesMeant(name), refused(/no name of a file beside/), name);
	});
});

describe('`parseManifest`', () => {
	it('reads the forms of ovftool, VirtualBox and openssl', () => {
		const [one, two, three] = ['a'.repeat(40), 'B'.repeat(64), 'c'.repeat(128)];
		const text = `SHA1(a (1).vmdk)= ${one}\r\nSHA256 (b.ovf) = ${two}\n\nsha-512(c.ovf)=${three}`;
		assert.deepEqual(parseManifest(text, 'x.mf'), [
			{ algorithm: 'SHA1', name: 'a (1).vmdk', digest: one },
			{ algorithm: 'SHA256', name: 'b.ovf', digest: two.toLowerCase() },
			{ algorithm: 'SHA512', name: 'c.ovf', digest: three },
		]);
	});
	it('refuses any other line, and digests of another length', () => {
		for (const line of ['hello', `MD5(a)= ${'a'.repeat(32)}`, `SHA256(a)= ${'a'.repeat(40)}`, 'SHA1(a)='])
			assert.throws(() => parseManifest(`\n${line}`, 'x.mf'), refused(/x\.mf:2 is not understood/), line);
	});
	it('refuses to open more files than any appliance has', () => {
		const lines = `SHA1(a)= ${'a'.repeat(40)}\n`.repeat(1025);
		assert.throws(() => parseManifest(lines, 'x.mf'), refused(/names 1025 files, and 1024 at most/));
	});
});

describe('`unitBytes` and `quantityBytes`', () => {
	it('read programmatic units and words', () => {
		const cases: [string, number | undefined][] = [
			['byte * 2^20', 2 ** 20],
			['byte*2^30', 2 ** 30],
			['byte * 10^6', 1e6],
			['MegaBytes', 2 ** 20],
			['GB', 2 ** 30],
			['byte', 1],
			['byte * x', undefined],
			['hertz * 10^6', undefined],
			['', undefined],
		];
		for (const [text, bytes] of cases) assert.equal(unitBytes(text), bytes, text);
		assert.equal(quantityBytes('3', 'byte * 2^10'), 3072);
		for (const quantity of ['-1', '1.5', '${size}', undefined])
			assert.equal(quantityBytes(quantity, 'byte'), undefined);
		assert.equal(quantityBytes('9000000', 'byte * 2^40'), undefined);
	});
});

describe('`osFamilyOf`', () => {
	it('knows families by what programs call them, else by the number', () => {
		const names = [
			['windows9_64Guest', 'windows'],
			['winNetEnterpriseGuest', 'windows'],
			['Windows11_64', 'windows'],
			['windows_2022x64', 'windows'],
			['rhel9_64Guest', 'linux'],
			['other5xLinux64Guest', 'linux'],
			['ArchLinux_64', 'linux'],
			['sles_15', 'linux'],
			['oracleLinux8_64Guest', 'linux'],
			['freebsd13_64Guest', 'other'],
			['darwin19_64Guest', 'other'],
			['Solaris11_64', 'other'],
			['otherGuest64', undefined],
		] as const;
		for (const [name, family] of names) assert.equal(osFamilyOf(undefined, [undefined, name]), family, name);
		const numbers = [
			[103, 'windows'],
			[80, 'linux'],
			[42, 'other'],
			[1, undefined],
			[102, undefined],
			[120, 'windows'],
		] as const;
		for (const [number, family] of numbers) assert.equal(osFamilyOf(number, ['?']), family, String(number));
	});
});
