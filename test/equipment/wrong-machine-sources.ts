/** Simulated machine sources with a fault that the conformance suite is there to catch. */
import { readFile, writeFile } from 'node:fs/promises';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import type { MachineSource, OpenedMoment } from '../../sources/machine/contract.ts';
import { bitmapsOf } from '../../sources/simulated-machine/bitmaps.ts';
import type { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { collect } from './repositories.ts';

type Wrong = (source: MachineSource, machine: MachineInDirectory) => MachineSource;

/** Puts some methods of one's own before a source's. */
export function wrongly(change: (source: MachineSource, machine: MachineInDirectory) => Partial<MachineSource>): Wrong {
	return (source, machine) => {
		const wrong = change(source, machine);
		return new Proxy(source, {
			get(right, name) {
				const value: unknown = Reflect.get(name in wrong ? wrong : right, name);
				return typeof value === 'function' ? value.bind(right) : value;
			},
		});
	};
}

/** As a hypervisor whose bitmap was disabled for the time of the moment, and enabled again. */
export function stopsRecordingWhileItReads(): Wrong {
	const bitmaps = new Map<string, Buffer>();
	return wrongly((source, { files }) => ({
		async begin(order, signal) {
			for (const { key } of order.described.disks)
				for (const path of await bitmapsOf(files, key)) bitmaps.set(path, await readFile(path));
			return source.begin(order, signal);
		},
		async abandon(claim, signal) {
			await source.abandon(claim, signal);
			for (const [path, bytes] of bitmaps) await writeFile(path, bytes);
		},
	}));
}

export const beginsAnew: Wrong = wrongly(source => ({
	async begin(order, signal) {
		await source.abandon(order, signal);
		return source.begin(order, signal);
	},
}));

export const abandonsNothing: Wrong = wrongly(() => ({ async abandon() {} }));

export const dropsNothing: Wrong = wrongly(source => ({
	commit: (claim, _of, signal) => source.commit(claim, { droppable: [] }, signal),
}));

export const dropsWhatOthersKeep: Wrong = wrongly(source => ({
	async commit(claim, of, signal) {
		await source.commit(claim, of, signal);
		for (const { tag, owner } of await collect(source.leftovers(undefined, signal)))
			if (of.droppable.includes(tag)) await source.abandon({ ...claim, tag, owner }, signal);
	},
}));

export const takesAnyMachine: Wrong = wrongly((source, machine) => {
	const identified = async <T extends { identity: string }>(claim: T) => ({
		...claim,
		identity: (await machine.describe()).identity,
	});
	return {
		begin: async (order, signal) => source.begin(await identified(order), signal),
		abandon: async (claim, signal) => source.abandon(await identified(claim), signal),
	};
});

export const readsTheDiskItself: Wrong = wrongly((source, machine) => ({
	open: async (moment, key, known, signal) =>
		changed(await source.open(moment, key, known, signal), {
			read: async (offsetBytes, into) =>
				void (await readFile(machine.files.disk(key))).copy(into, 0, offsetBytes, offsetBytes + into.length),
		}),
}));

export const callsTooMuchUnchanged: Wrong = wrongly(source => ({
	async open(moment, key, known, signal) {
		const opened = await source.open(moment, key, known, signal);
		if (opened.reads === 'all') return opened;
		return changed(opened, {
			async *extents(until): AsyncGenerator<SourceExtent> {
				let isFirst = true;
				for await (const extent of opened.source.extents(until)) {
					yield extent.kind === 'data' && isFirst ? { ...extent, kind: 'unchanged' } : extent;
					if (extent.kind === 'data') isFirst = false;
				}
			},
		});
	},
}));

export const believesAnyCheckpoint: Wrong = wrongly(source => ({
	async plan(machine, since, signal) {
		const plan = await source.plan(machine, since, signal);
		return since === null
			? plan
			: { ...plan, disks: plan.disks.map(disk => ({ ...disk, reads: 'changes', why: null })) };
	},
}));

export const beginsWhatWasNotPlanned: Wrong = wrongly(source => ({
	async begin(order, signal) {
		const { disks } = await source.describe(signal);
		return source.begin({ ...order, described: { ...order.described, disks } }, signal);
	},
}));

/** Puts some methods of one's own before those of an opened disk. */
export function changed({ source, ...opened }: OpenedMoment, change: Partial<OpenedMoment['source']>): OpenedMoment {
	return {
		...opened,
		source: {
			sizeBytes: source.sizeBytes,
			extents: signal => source.extents(signal),
			read: (offsetBytes, into, signal) => source.read(offsetBytes, into, signal),
			close: () => source.close(),
			...change,
		},
	};
}
