import type { OperationName } from './requests.ts';

const minute = 60_000;
const hour = 60 * minute;

/**
 * How long an answer may take before the host counts as stuck: what a loaded host needs, with room. Memory that is saved or
 * read back goes at the speed of the datastore, and a merge copies up to a whole disk.
 */
export const timeoutsMs: Readonly<Record<OperationName, number>> = {
	hello: minute,
	report: 2 * minute,
	'check-cmdlets': 3 * minute,
	// With `whole` NTFS writes zeroes everywhere.
	'make-target': 6 * hour,
	'attach-target': 2 * minute,
	'detach-target': 2 * minute,
	'remove-targets': 5 * minute,
	'put-target': 2 * minute,
	'create-machine': 3 * minute,
	observe: minute,
	chain: 2 * minute,
	'make-overlay': 2 * minute,
	'make-checkpoint': 5 * minute,
	'remove-checkpoint': 5 * minute,
	start: 15 * minute,
	power: 15 * minute,
	reparent: 2 * minute,
	merge: 6 * hour,
	'hand-over': 2 * minute,
	'remove-machine': 10 * minute,
	'connect-volume': 6 * minute,
	'disconnect-volume': 4 * minute,
	survey: 2 * minute,
	// The host's adapter at a new switch may come late.
	'make-network': 5 * minute,
	'remove-network': 5 * minute,
	'set-initiator': 2 * minute,
	'put-key': minute,
	'remove-key': minute,
	'expect-file': minute,
	// It reads the whole file.
	'take-file': hour,
	'create-appliance': 5 * minute,
	'start-appliance': 5 * minute,
	'stop-appliance': 5 * minute,
	'remove-seed': 2 * minute,
	'remove-appliance': 10 * minute,
};
