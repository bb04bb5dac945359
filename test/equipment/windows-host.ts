/** A simulated Windows host in this process, whose volume is a folder: for what no iSCSI is needed. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { OperationName, RequestOf } from '../../hypervisors/hyperv/driver/requests.ts';
import { blindAppliance } from '../../hypervisors/hyperv/simulator/appliance-disks.ts';
import { DiskFile } from '../../hypervisors/hyperv/simulator/disk-file.ts';
import type { WindowsSettings } from '../../hypervisors/hyperv/simulator/parts.ts';
import type { Initiator } from '../../hypervisors/hyperv/simulator/volumes.ts';
import { VhdxWriter } from '../../hypervisors/hyperv/simulator/vhdx-writer.ts';
import { placeOf } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { type Answer, WindowsHost } from '../../hypervisors/hyperv/simulator/windows-host.ts';
import { exists } from '../../system/if-there.ts';
import { identityHeader } from '../../vhdx/identity-header.ts';
import { temporaryDirectory } from './captive.ts';
import { sampleDisk } from './stored-disk.ts';

const MiB = 2 ** 20;

export const sampleRecovery = '7b0f5a52-9d5e-4c0e-8d7b-0d2f3a1c4e5f';
export const applianceId = 'a0a0a0a0-1111-4222-8333-444444444444';
export const folder = 'D:\\Rouse\\web01';
const volumePath = `${folder}\\base`;
export const basePath = `${volumePath}\\disk0.vhdx`;
export const overlayPath = `${folder}\\overlay0.vhdx`;
export const targetPath = `${folder}\\target0.vhdx`;
export const slot = { controller: 'SCSI', number: 0, location: 0 } as const;
export const ids = {
	diskGuid: 'd1d1d1d1-0000-4000-8000-000000000001',
	partitionGuid: 'd2d2d2d2-0000-4000-8000-000000000002',
};

/** Files of a folder as those of a volume; reads fail while `lost` says why. */
class FolderVolume {
	lost: Error | undefined;
	/** How often Windows has written its metadata. */
	written = 0;
	back: () => void = () => undefined;
	readonly #folder: string;

	constructor(directory: string) {
		this.#folder = directory;
	}

	readonly initiator: Initiator = {
		boot: async () => undefined,
		connect: async () => ({
			diskGuid: ids.diskGuid,
			file: async (_partition, name) => {
				if (!(await exists(join(this.#folder, name)))) return undefined;
				const file = await DiskFile.open(join(this.#folder, name), name, 'r');
				const read = async (atBytes: number, lengthBytes: number) => {
					if (this.lost) throw this.lost;
					return await file.read(atBytes, lengthBytes);
				};
				return { name, sizeBytes: file.sizeBytes, read, close: () => file.close() };
			},
			writeBack: async () => {
				this.written += 1;
				return this.lost === undefined;
			},
			isConnected: async () => this.lost === undefined,
			onBack: call => void (this.back = call),
			close: async () => undefined,
		}),
	};
}

export interface SampleHost {
	directory: string;
	host: WindowsHost;
	volume: FolderVolume;
	base: Buffer;
	/** VirtualDiskId of the base. */
	baseId: string;
	/** Power loss, and the next boot. */
	boot(this: void): Promise<void>;
	/** Somebody writes into a disk that nobody has open: it gets another DataWriteGuid. */
	rewrite(this: void, path: string): Promise<void>;
	/** Somebody removes it. */
	removeFile(this: void, path: string): Promise<void>;
	ask<Name extends OperationName>(this: void, name: Name, request: RequestOf<Name>): Promise<Answer<Name>>;
	/** The result, which must be one. */
	must<Name extends OperationName>(this: void, name: Name, request: RequestOf<Name>): Promise<unknown>;
}

export async function sampleHost(
	t: Pick<TestContext, 'after'>,
	{ sizeBytes = 8 * MiB, settings = {} }: { sizeBytes?: number; settings?: Partial<WindowsSettings> } = {},
): Promise<SampleHost> {
	let made: SampleHost | undefined;
	const directory = await temporaryDirectory(t, async () => await made?.host.losePower());
	const volume = new FolderVolume(directory);
	const base = sampleDisk(sizeBytes, 7);
	const baseIds = { fileWriteGuid: randomUUID(), dataWriteGuid: randomUUID(), virtualDiskId: randomUUID() };
	const sectors = { logicalSectorBytes: 512, physicalSectorBytes: 512 } as const;
	const { header, payloadOffsetBytes, fileSizeBytes } = identityHeader({ sizeBytes, ids: baseIds, ...sectors });
	{
		await using file = await open(join(directory, 'disk0.vhdx'), 'wx');
		await file.write(header, 0, header.length, 0);
		await file.write(base, 0, base.length, payloadOffsetBytes);
		await file.truncate(fileSizeBytes);
	}
	const all: WindowsSettings = {
		directory: join(directory, 'windows'),
		applianceId,
		computerName: 'HV1',
		processors: 4,
		switches: [{ name: 'lan', type: 'External' }],
		initiator: volume.initiator,
		appliance: blindAppliance,
		...settings,
	};
	const sample: SampleHost = {
		directory,
		host: await WindowsHost.boot(all),
		volume,
		base,
		baseId: baseIds.virtualDiskId,
		async boot() {
			await sample.host.losePower();
			sample.host = await WindowsHost.boot(all);
		},
		async rewrite(path) {
			const file = await DiskFile.open(placeOf(sample.host.root, path), path, 'r+');
			await (await VhdxWriter.open(file)).setDataWriteGuid(randomUUID());
			await file.close();
		},
		removeFile: async path => await rm(placeOf(sample.host.root, path)),
		ask: (name, request) => sample.host.answer(name, request),
		async must(name, request) {
			const answer = await sample.host.answer(name, request);
			if (answer.ok) return answer.result;
			throw new Error(`${name}: ${answer.error.code} ${answer.error.hresult} ${answer.error.message}`);
		},
	};
	made = sample;
	return sample;
}

/** Connected, with a target, a machine and its overlay; not started. */
export async function madeMachine(
	sample: SampleHost,
	{ generation = 2, login = {} }: { generation?: 1 | 2; login?: Partial<RequestOf<'connect-volume'>> } = {},
): Promise<string> {
	const { base, must } = sample;
	const target = await must('make-target', {
		recoveryId: sampleRecovery,
		path: targetPath,
		sizeBytes: base.length,
		whole: false,
		knownId: null,
	});
	await must('create-machine', {
		recoveryId: sampleRecovery,
		name: 'web01',
		directory: folder,
		generation,
		memoryMiB: 1024,
		processors: 2,
		secureBoot: 'Off',
		nics: [],
		pipe: '\\\\.\\pipe\\rouse-7b0f5a52',
	});
	await overlay(sample, await connect(sample, login));
	return target !== null && typeof target === 'object' && 'virtualDiskId' in target ? String(target.virtualDiskId) : '';
}

/** Returns the VirtualDiskId of the base. */
export async function connect(sample: SampleHost, login: Partial<RequestOf<'connect-volume'>> = {}): Promise<string> {
	const answer = await sample.ask('connect-volume', {
		recoveryId: sampleRecovery,
		portal: { address: '127.0.0.1', port: 3260 },
		iqn: 'iqn.2026-11.example.rouse:web01',
		chapUser: 'rouse',
		chapSecret: 'x'.repeat(16),
		...ids,
		accessPath: volumePath,
		files: [basePath],
		...login,
	});
	if (answer.ok) return answer.result.files[0]?.virtualDiskId ?? '';
	throw new Error(`connect-volume: ${answer.error.hresult} ${answer.error.message}`);
}

export async function overlay({ must }: SampleHost, parentId: string): Promise<void> {
	await must('make-overlay', { recoveryId: sampleRecovery, path: overlayPath, parent: basePath, parentId, slot });
}

export const startOn = (parent: string | null, leaf = overlayPath): RequestOf<'start'> => ({
	recoveryId: sampleRecovery,
	disks: [{ leaf, parent }],
});

export const reparent = (parentId: string, change: Partial<RequestOf<'reparent'>> = {}): RequestOf<'reparent'> => ({
	recoveryId: sampleRecovery,
	overlay: overlayPath,
	from: [basePath],
	parent: targetPath,
	parentId,
	anew: false,
	...change,
});
export const merge = { recoveryId: sampleRecovery, overlay: overlayPath, target: targetPath, slot };

/** Fails with this code of the driver, or this HRESULT of Windows. */
export async function refuses<Name extends OperationName>(
	{ ask }: SampleHost,
	why: string,
	name: Name,
	request: RequestOf<Name>,
): Promise<void> {
	const answer = await ask(name, request);
	assert.ok(!answer.ok, `${name} was done, and ${why} was expected`);
	assert.equal(why.startsWith('0x') ? answer.error.hresult : answer.error.code, why, answer.error.message);
}
