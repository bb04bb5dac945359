import type { Power } from '../../model/recovery.ts';

/** RunState of qapi/run-state.json in the words of the contract. */
export function powerOf(status: string): Power {
	switch (status) {
		case 'running':
		case 'suspended': // the guest sleeps (ACPI S3) and wakes by itself
			return 'on';
		case 'prelaunch': // has not begun
		case 'shutdown': // has powered itself off; QEMU stays, for the disks
			return 'off';
		default:
			return crashOf(status) === undefined ? 'paused' : 'crashed';
	}
}

/** Why a guest can run no further, for the states that only a reset leads out of; undefined for all others. */
export function crashOf(status: string): string | undefined {
	switch (status) {
		case 'internal-error': // KVM_EXIT_INTERNAL_ERROR and its like: accel/kvm/kvm-all.c
			return 'QEMU cannot run what its processor was told to do (internal-error)';
		case 'guest-panicked':
			return 'its operating system has panicked (guest-panicked)';
		default:
			return undefined;
	}
}
