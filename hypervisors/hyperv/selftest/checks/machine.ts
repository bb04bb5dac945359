import { RouseError } from '../../../../model/errors.ts';
import { lookSettled } from '../../look.ts';
import type { Check } from '../check.ts';
import type { Trial } from '../trial.ts';
import { Watch } from '../watch.ts';
import { timed } from './driver.ts';

/** Windows says so when an account may not open a file, or a parent: winerror.h, and VIRTDISK's in the same. */
const denied = ['0x80070005', '0xC03A0016'];

/** The machine over the volume. */
export const machineChecks: Check<Trial>[] = [
	{
		name: 'volume-there',
		why: 'the disks lie on a volume that mkntfs made, over iSCSI: Windows must take it, online, writable and soon',
		expected: 'within a minute both files on it can be opened',
		needs: ['driver-answers', 'targets-filled'],
		run: async ({ machine, server }, signal) => {
			const [, madeMs] = await timed(() => machine.create({ signal }));
			const files = await machine.volume?.();
			if (files === undefined) throw new RouseError('internal', 'the machine has no volume');
			await server.start(files);
			const [, ms] = await timed(() => machine.presentBase({ signal }));
			const { writes, writtenBytes } = server.written;
			return {
				asExpected: ms <= 60_000,
				seen: `${ms} ms after the target was started; Windows wrote ${writtenBytes} bytes of metadata`,
				facts: { ms, machineAndVolumeMadeMs: madeMs, writes, writtenBytes },
			};
		},
	},
	{
		name: 'overlays-made',
		why: 'a guest writes into differencing disks whose parents are read over iSCSI',
		expected: 'each is made over its file on the volume',
		needs: ['volume-there'],
		run: async ({ machine }, signal) => {
			const [, ms] = await timed(() => machine.snapshot({ signal }));
			return { asExpected: true, seen: `${ms} ms`, facts: { ms } };
		},
	},
	{
		name: 'machine-runs',
		why: 'it is the whole point',
		expected: 'it starts from the volume, and its guest reads',
		needs: ['overlays-made'],
		run: async (trial, signal) => {
			const [, ms] = await timed(() => trial.start(signal));
			const watch = new Watch(trial);
			const readsAfterMs = await watch.untilItGoesOn(signal);
			return {
				asExpected: readsAfterMs !== undefined,
				seen: `started in ${ms} ms; ${readsAfterMs === undefined ? `no reads of its guest came: ${watch.text}` : `its guest read ${readsAfterMs} ms later`}`,
				facts: { ms, readsAfterMs: readsAfterMs ?? null, timeline: watch.timeline },
			};
		},
	},
	{
		name: 'parent-opened',
		why: "Hyper-V gives a machine's account rights on its files, and may want to write them to a parent as well",
		expected:
			"the machine's account opens the parents with what mkntfs gave everybody; rights that are written are metadata",
		needs: ['overlays-made'],
		run: async ({ startFailure, server }) => {
			const { writes, writtenBytes } = server.written;
			const facts = { writes, writtenBytes };
			if (startFailure === undefined)
				return { asExpected: true, seen: `opened; ${writtenBytes} bytes of metadata written until here`, facts };
			const { hresult, message } = startFailure;
			if (hresult !== null && denied.includes(hresult)) return { asExpected: false, seen: message, hresult, facts };
			return { asExpected: undefined, seen: `the start failed for another reason: ${message}`, hresult, facts };
		},
	},
	{
		name: 'saved-and-resumed',
		why: 'the switch saves the guest: first the same without changing anything',
		expected: 'its state is saved, and it goes on from there',
		needs: ['machine-runs'],
		run: async (trial, signal) => {
			const { settings, definition, parts, machine } = trial;
			const { recoveryId } = definition;
			const [, savedMs] = await timed(async () => {
				await settings.driver.ask('power', { recoveryId, action: 'save' }, { signal });
				await lookSettled(parts, { signal });
			});
			const [, resumedMs] = await timed(() => machine.powerOn('mover', { signal }));
			const goesOnMs = await new Watch(trial).untilItGoesOn(signal);
			return {
				asExpected: goesOnMs !== undefined,
				seen: `saved in ${savedMs} ms, resumed in ${resumedMs} ms, ${goesOnMs === undefined ? 'and its guest does not read' : `its guest read ${goesOnMs} ms later`}`,
				facts: { savedMs, resumedMs, goesOnMs: goesOnMs ?? null },
			};
		},
	},
];
