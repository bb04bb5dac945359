import { batchFileSchema } from '../../model/batch-file.ts';
import { RouseError } from '../../model/errors.ts';
import { type BatchSurroundings, expandBatch } from '../../client/batch/expand.ts';
import type { FoundPoint } from '../../client/requests.ts';
import { readYaml } from '../../system/parse-yaml.ts';
import { testHostId } from './recovery-request.ts';
import { sampleConfig } from './sample-config.ts';
import { sampleHostView } from './sample-host.ts';

export const otherHostId = '7c9d7a6e-3a53-4d7e-8a4e-2f3f0c6d5b21';
const samplePointTime = '2026-11-20T03:00:00.000Z';

export function pointOf(machine: string, time = samplePointTime): FoundPoint {
	const disks = [
		{
			sizeBytes: 1 << 20,
			chunkSizeBytes: 131_072,
			frameSizeBytes: 65_536,
			contentDigest: 'b'.repeat(64),
			dataBytes: 4096,
		},
	];
	return { machine, time, manifestDigest: 'a'.repeat(64), config: sampleConfig, facts: {}, disks };
}

/** A site with two hosts and some machines, of which nothing is real. */
export function batchSurroundings(changes: Partial<BatchSurroundings> = {}): BatchSurroundings {
	const machines = ['db01', 'db02', 'dc01', 'web01', 'web02'];
	const point = async (_directory: string, machine: string) => {
		if (machines.includes(machine)) return pointOf(machine);
		throw new RouseError('machine_unknown', `no machine ${machine}`);
	};
	const other = { host: 'other', hostId: otherHostId };
	return {
		catalogue: {
			machines: async () => machines,
			point,
			pointAt: async (_directory, machine, time) => pointOf(machine, time),
		},
		directoryOf: async name => `/srv/${name ?? 'main'}`,
		known: ['local', 'other'],
		hosts: new Map([
			['local', { place: { host: 'local', hostId: testHostId }, view: sampleHostView }],
			['other', { place: other, view: { ...sampleHostView, name: 'other', hostId: otherHostId } }],
		]),
		networks: {},
		placeOf: () => 'site.yaml',
		existing: () => undefined,
		nowMs: Date.parse('2026-11-21T00:00:00Z'),
		...changes,
	};
}

/** `groups`: YAML, as it stands in a batch file from there on. */
export function expanded(groups: string, changes: Partial<BatchSurroundings> = {}) {
	const { value, placeOf } = readYaml(`name: site\n${groups}`, 'site.yaml', batchFileSchema, 'spec_invalid');
	return expandBatch(value, batchSurroundings({ placeOf, ...changes }));
}
