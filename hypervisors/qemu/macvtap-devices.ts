/**
 * The device of a macvtap, `/dev/tap` with the number of the interface, is root's. It is opened by a shell of root's before
 * that becomes QEMU, which has the descriptor and could open no device.
 */
import { tapName } from '../../system/taps.ts';
import type { MachineDefinition } from '../contract.ts';
import { outsideOf } from './network-target.ts';

/** What is below is the lock's. */
const firstDescriptor = 4;
/** A POSIX shell knows descriptors of one digit. */
export const mostMacvtaps = 10 - firstDescriptor;

type OfMachine = Pick<MachineDefinition, 'recoveryId' | 'nics'>;

/** Where QEMU finds the device of that NIC, which is on a macvtap. */
export function macvtapDescriptor(nics: MachineDefinition['nics'], index: number): number {
	return firstDescriptor + nics.slice(0, index).filter(({ target }) => outsideOf(target)?.kind === 'macvtap').length;
}

/** Lines of a shell under `set -eu`. */
export function openingMacvtaps({ recoveryId, nics }: OfMachine): string[] {
	return nics.flatMap(({ target }, index) => {
		if (outsideOf(target)?.kind !== 'macvtap') return [];
		const name = tapName(recoveryId, index);
		const descriptor = macvtapDescriptor(nics, index);
		// Numbers are a network namespace's own, and /dev is of all of them: one of that name may be another's.
		return [
			`read -r index </sys/class/net/${name}/ifindex`,
			`IFS=: read -r major minor <"/sys/class/net/${name}/macvtap/tap$index/dev"`,
			`[ "$(stat -c %t:%T "/dev/tap$index")" = "$(printf %x:%x "$major" "$minor")" ] ||`,
			`	{ echo "/dev/tap$index is not the device of ${name}" >&2; exit 1; }`,
			`[ ! -e /proc/self/fd/${descriptor} ] || { echo 'descriptor ${descriptor} is in use' >&2; exit 1; }`,
			`exec ${descriptor}<>"/dev/tap$index"`,
		];
	});
}
