/** Bytes written down once: what is read back fine but looks different from these is another format. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContentDigester } from '../../repository/content-digester.ts';
import { digestOf } from '../../repository/format/chunk.ts';
import { encodeManifest } from '../../repository/format/manifest.ts';
import { encodePackEnd } from '../../repository/format/pack.ts';
import { pageMapOf } from '../../repository/format/page-map.ts';
import { sampleConfig } from '../equipment/sample-config.ts';

const digest = digestOf(Buffer.from('rouse'));

test('`encodePackEnd` of one chunk gives the bytes of version 0', () => {
	const chunks = [{ digest, offsetBytes: 0, storedBytes: 6, rawBytes: 5 }];
	assert.equal(
		encodePackEnd({ packId: '000102030405060708090a0b0c0d0e0f', chunks }).toString('hex'),
		[
			'cd5862459ebaa6a3', // magic
			'000102030405060708090a0b0c0d0e0f', // pack id
			'01000000', // one chunk
			'00000000',
			digest,
			'00000000', // offset
			'06000000', // stored bytes
			'05000000', // raw bytes
			'344252d1233542a5', // magic of the trailer
			'4c000000', // footer of 76 bytes
			'00000000',
			'39fcbceb8fb5a181e1876ece63c3de6ca6cbdad10052b427baaa0ece3cdeb741',
		].join(''),
	);
});

test('`ContentDigester` of one chunk in the second leaf gives the digest of version 0', () => {
	const content = new ContentDigester(pageMapOf({ sizeBytes: 2048 * 4096 - 1, chunkSizeBytes: 4096 }));
	content.add(1030, digest);
	assert.equal(content.finish(), '4fa3c065606d896dc2109fa490943330ace728bbb6e304573fd3fdc25e10bd4f');
});

test('`encodeManifest` gives the bytes of version 0', () => {
	const manifest = encodeManifest({
		repositoryId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
		machine: 'web01',
		time: '2026-11-20T03:00:00.000Z',
		config: {
			...sampleConfig,
			firmware: 'efi',
			secureBoot: true,
			vtpm: false,
			efiVariables: [
				{ vendor: '8be4df61-93ca-11d2-aa0d-00e098032b8c', name: 'BootOrder', attributes: 7, data: 'AAE=' },
			],
			nics: [{ mac: '52:54:00:11:22:33', network: 'lan' }],
			disks: [{ position: 0, serial: 'S3RIAL', logicalSectorBytes: 512, physicalSectorBytes: 4096 }],
			drivers: [{ name: 'virtio', learntFrom: 'spec' }],
			boot: {
				kernels: [{ version: '6.1.0-18-amd64', modules: { hv_vmbus: { early: 'initramfs', installed: true } } }],
				windows: { starts: { storvsc: 0, viostor: null } },
				deviceNames: [{ file: '/etc/fstab', device: '/dev/vda1' }],
				notLookedAt: ['disk0 partition 2: btrfs is not read'],
			},
		},
		disks: [
			{
				sizeBytes: 1000,
				chunkSizeBytes: 131072,
				contentDigest: digest,
				dataBytes: 1000,
				root: { digest, packId: '000102030405060708090a0b0c0d0e0f', offsetBytes: 7, storedBytes: 57 },
			},
		],
	});
	assert.equal(
		manifest.toString(),
		'{"checksum":"b62c9baf574f524af65f1b2cf598f4ea037e80c6a43373f5100a053c2acfc093","config":{"boot":{"deviceNames":[{"device":"/dev/vda1","file":"/etc/fstab"}],"kernels":[{"modules":{"hv_vmbus":{"early":"initramfs","installed":true}},"version":"6.1.0-18-amd64"}],"notLookedAt":["disk0 partition 2: btrfs is not read"],"windows":{"starts":{"storvsc":0,"viostor":null}}},"clock":"utc","cpus":1,"disks":[{"logicalSectorBytes":512,"physicalSectorBytes":4096,"position":0,"serial":"S3RIAL"}],"drivers":[{"learntFrom":"spec","name":"virtio"}],"efiVariables":[{"attributes":7,"data":"AAE=","name":"BootOrder","vendor":"8be4df61-93ca-11d2-aa0d-00e098032b8c"}],"firmware":"efi","memoryMiB":64,"nics":[{"mac":"52:54:00:11:22:33","network":"lan"}],"origin":{"detail":"raw sample.raw","kind":"image"},"os":"linux","secureBoot":true,"vtpm":false},"disks":[{"chunkSizeBytes":131072,"contentDigest":"cd6709ccf9af559280949c82eca2d790d3b1076710288c405639fcf4d2592227","dataBytes":1000,"root":{"digest":"cd6709ccf9af559280949c82eca2d790d3b1076710288c405639fcf4d2592227","offsetBytes":7,"packId":"000102030405060708090a0b0c0d0e0f","storedBytes":57},"sizeBytes":1000}],"features":[],"machine":"web01","repositoryId":"0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11","time":"2026-11-20T03:00:00.000Z","type":"rouse-manifest","version":0}',
	);
});
