import { rm } from 'node:fs/promises';
import type { Machine, MachineDefinition, Platform, SwitchCalls } from '../../hypervisors/contract.ts';
import type { ConnectQmp } from '../../hypervisors/qemu/monitor.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { QmpClient } from '../../qmp/client.ts';

/** Puts some methods of one's own before a machine's. */
function wrongly(
	change: (machine: Machine, definition: MachineDefinition) => Partial<Machine>,
): (platform: Platform) => Platform {
	return platform => ({
		...platform,
		machine: (definition, gate) => {
			const machine = platform.machine(definition, gate);
			const right: Machine = {
				debug: machine.debug,
				makeTargets: options => machine.makeTargets(options),
				openTargets: options => machine.openTargets(options),
				create: options => machine.create(options),
				presentBase: options => machine.presentBase(options),
				snapshot: options => machine.snapshot(options),
				powerOn: (chain, options) => machine.powerOn(chain, options),
				addressesInUse: options => machine.addressesInUse(options),
				fallBack: (chain, options) => machine.fallBack(chain, options),
				shutdown: options => machine.shutdown(options),
				reset: options => machine.reset(options),
				powerOff: options => machine.powerOff(options),
				resume: options => machine.resume(options),
				observe: options => machine.observe(options),
				switchToTarget: (calls, options) => machine.switchToTarget(calls, options),
				console: (kind, options) => machine.console(kind, options),
				handOver: options => machine.handOver(options),
				remove: options => machine.remove(options),
				removeTargets: options => machine.removeTargets(options),
				close: () => machine.close(),
			};
			return { ...right, ...change(machine, definition) };
		},
	});
}

/**
 * The mark says `target` while the guest still writes to its overlay. Before the commit, since afterwards a commit that
 * happens to keep up could hide it.
 */
export const marksTargetBeforeThePause = wrongly(machine => ({
	switchToTarget: calls =>
		machine.switchToTarget(
			withCalls(calls, {
				reached: async place => {
					if (place === 'switch.mover-stopped' && calls.chain !== 'target') await calls.mark('target');
					await calls.reached(place);
				},
			}),
		),
}));

/** A snapshot that is there is thrown away and made anew. */
export const recreatesTheSnapshot = wrongly((machine, definition) => ({
	snapshot: async () => {
		const paths = machinePaths(definition);
		if ((await machine.observe()).power === 'off') {
			for (const disk of definition.disks) await rm(paths.overlay(disk), { force: true });
			await rm(paths.record, { force: true });
			await machine.create();
		}
		await machine.snapshot();
	},
}));

/** Whether the guest ran before the pause is known to this attempt only. */
export const forgetsWhetherTheGuestRan = wrongly(machine => ({
	switchToTarget: calls => {
		let resume: boolean | undefined;
		return machine.switchToTarget(
			withCalls(calls, { rememberResume: async value => void (resume = value), resume: () => resume }),
		);
	},
}));

/** An abort ends the attempt even where the guest stands still. */
export const leavesTheGuestPausedWhenAborted = wrongly(machine => ({
	switchToTarget: (calls, options) =>
		machine.switchToTarget(
			withCalls(calls, {
				reached: async place => {
					await calls.reached(place);
					options?.signal?.throwIfAborted();
				},
			}),
			options,
		),
}));

/** The overlay is removed before the mark says that the target is the truth. */
export const removesTheOverlayTooEarly = wrongly((machine, definition) => ({
	switchToTarget: calls =>
		machine.switchToTarget(
			withCalls(calls, {
				reached: async place => {
					if (place === 'switch.ready')
						for (const disk of definition.disks) await rm(machinePaths(definition).overlay(disk), { force: true });
					await calls.reached(place);
				},
			}),
		),
}));

interface ChangedCalls {
	reached?: SwitchCalls['reached'];
	rememberResume?: SwitchCalls['rememberResume'];
	resume?: () => boolean | undefined;
}

function withCalls(calls: SwitchCalls, changed: ChangedCalls): SwitchCalls {
	return {
		get chain() {
			return calls.chain;
		},
		get resume() {
			return changed.resume ? changed.resume() : calls.resume;
		},
		mark: chain => calls.mark(chain),
		rememberResume: changed.rememberResume ?? (resume => calls.rememberResume(resume)),
		stopMountMover: () => calls.stopMountMover(),
		reached: changed.reached ?? (place => calls.reached(place)),
	};
}

/** A monitor that says the guest is paused and lets it run: the switch is finalized without a pause. */
export const connectWithoutPause: ConnectQmp = async (path, options) => {
	const qmp = await QmpClient.connect(path, options);
	let pretends = false;
	return {
		get closed() {
			return qmp.closed;
		},
		execute: async (command, args, more) => {
			if (command === 'stop') {
				pretends = true;
				return {};
			}
			if (command === 'cont') pretends = false;
			if (command === 'query-status' && pretends) return { running: false, status: 'paused' };
			return qmp.execute(command, args, more);
		},
		waitForEvent: (matches, timeoutMs) => qmp.waitForEvent(matches, timeoutMs),
		onEvent: listener => qmp.onEvent(listener),
		close: () => qmp.close(),
	};
};
