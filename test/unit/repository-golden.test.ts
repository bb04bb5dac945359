/** Bytes written down once: what is read back fine but looks different from these is another format. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContentDigester } from '../../repository/content-digester.ts';
import { digestChunk, encodeChunk } from '../../repository/format/chunk.ts';
import { digestOf } from '../../repository/format/digest.ts';
import { encodeManifest } from '../../repository/format/manifest.ts';
import { encodePackEnd } from '../../repository/format/pack.ts';
import { noise } from '../equipment/repositories.ts';
import { sampleConfig } from '../equipment/sample-config.ts';

const digest = digestOf(Buffer.from('rouse')).toString('hex');
const packId = '000102030405060708090a0b0c0d0e0f';

test('`digestOf` is BLAKE3', () => {
	// https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors/test_vectors.json, input_len 0 and 1024
	assert.equal(
		digestOf(Buffer.alloc(0)).toString('hex'),
		'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
	);
	const bytes = Buffer.from(Array.from({ length: 1024 }, (_, at) => at % 251));
	assert.equal(digestOf(bytes).toString('hex'), '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7');
});

test('`encodeChunk` of a raw and a zero frame gives the bytes of version 1', async () => {
	const digested = digestChunk(Buffer.concat([noise(16_384, 1), Buffer.alloc(5)]), 16_384);
	assert.equal(digested.digest.toString('hex'), 'eb8d8cacefa775382d809a208caf1fcb308334d0030bd2cd6ea22c680a298172');
	const stored = encodeChunk(digested);
	assert.equal(
		stored.toString('hex', 0, 76),
		'010e02000040008031b0e49447c9206901aaabf8f3a2852ae0119e363b34423be9ca7dd7578b50e005000080cdc96eca844d7912acdbb3dca677757d0db5747a1df61166339cfc7156d4880f',
	);
	assert.equal(digestOf(stored).toString('hex'), '8dfce294d772212995cb4e8c5c0eee52ecebf81aede98011f61604a6081469b2');
});

test('`encodePackEnd` of one chunk gives the bytes of version 1', () => {
	const chunks = [{ digest, offsetBytes: 0, storedBytes: 46 }];
	const footer = { packId, kind: 'page', rawBytes: 5, chunks, dataDigest: Buffer.alloc(32, 0xdd) } as const;
	assert.equal(
		encodePackEnd(footer).toString('hex'),
		[
			'fd81702015b72453', // magic
			packId,
			'01000000', // pages
			'01000000', // one of them
			'0500000000000000', // bytes before compression
			digest,
			'2e000000', // stored bytes
			'98d7b4325df4fdf9', // magic of the trailer
			'4c000000', // footer of 76 bytes
			'00000000',
			'dd'.repeat(32), // digest of the stored chunks
			'1c49f1282be59264d2dcedd105ab4926aad99250f5041da461150b4d4e5a5a5b',
		].join(''),
	);
});

test('`ContentDigester` of one chunk in the second leaf gives the digest of version 1', () => {
	const sizes = { sizeBytes: 2048 * 4096 - 1, chunkSizeBytes: 4096, frameSizeBytes: 65_536 };
	const content = new ContentDigester(sizes);
	content.add(1030, digest);
	assert.equal(content.finish(), 'a40f75b81fb2d22c271f214236e9b63a8ef6b02321f2ffb05cd489eb1eb328f3');
});

test('`encodeManifest` gives the bytes of version 1', () => {
	const manifest = encodeManifest({
		repositoryId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
		machine: 'web01',
		time: '2026-11-20T03:00:00.000Z',
		importId: '5f1c7c52-0e58-4c55-8f0e-3a9f4f1e2d11',
		facts: { 10: 'ten', 9: 'nine' },
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
				frameSizeBytes: 65536,
				contentDigest: digest,
				dataBytes: 1000,
				root: { digest, packId: '000102030405060708090a0b0c0d0e0f', offsetBytes: 7, storedBytes: 57 },
			},
		],
	});
	assert.equal(
		manifest.toString(),
		'{"checksum":"57d7a8fb24dd087081c274cf736d2b50905b8cbb1464900f1a7da9972060b2fa","config":{"boot":{"deviceNames":[{"device":"/dev/vda1","file":"/etc/fstab"}],"kernels":[{"modules":{"hv_vmbus":{"early":"initramfs","installed":true}},"version":"6.1.0-18-amd64"}],"notLookedAt":["disk0 partition 2: btrfs is not read"],"windows":{"starts":{"storvsc":0,"viostor":null}}},"clock":"utc","cpus":1,"disks":[{"logicalSectorBytes":512,"physicalSectorBytes":4096,"position":0,"serial":"S3RIAL"}],"drivers":[{"learntFrom":"spec","name":"virtio"}],"efiVariables":[{"attributes":7,"data":"AAE=","name":"BootOrder","vendor":"8be4df61-93ca-11d2-aa0d-00e098032b8c"}],"firmware":"efi","memoryMiB":64,"nics":[{"mac":"52:54:00:11:22:33","network":"lan"}],"origin":{"detail":"raw sample.raw","kind":"image"},"os":"linux","secureBoot":true,"vtpm":false},"disks":[{"chunkSizeBytes":131072,"contentDigest":"bfcae10da751d75d3e5f81e3d4f30106cb9a0d32a92e46cd8c47cce46b2825b1","dataBytes":1000,"frameSizeBytes":65536,"root":{"digest":"bfcae10da751d75d3e5f81e3d4f30106cb9a0d32a92e46cd8c47cce46b2825b1","offsetBytes":7,"packId":"000102030405060708090a0b0c0d0e0f","storedBytes":57},"sizeBytes":1000}],"facts":{"10":"ten","9":"nine"},"importId":"5f1c7c52-0e58-4c55-8f0e-3a9f4f1e2d11","machine":"web01","repositoryId":"0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11","time":"2026-11-20T03:00:00.000Z","type":"rouse-manifest","version":1}',
	);
});
