/** How a NIC on a network of the host is written: as a target, and for QEMU. */

/** Where a NIC leads to out of QEMU: a bridge of the host, or an interface of it that the machine shares by a macvtap. */
export interface Outside {
	kind: 'bridge' | 'macvtap';
	/** The bridge or interface. */
	on: string;
}

export function targetOf({ kind, on }: Outside): string {
	return `${kind}:${on}`;
}

/** Undefined for a target that leads nowhere outside of QEMU. */
export function outsideOf(target: string): Outside | undefined {
	const [, kind, on] = /^(bridge|macvtap):([\w.-]{1,15})$/.exec(target) ?? [];
	if (on === undefined) return undefined;
	return { kind: kind === 'macvtap' ? 'macvtap' : 'bridge', on };
}

/**
 * `vhost=off`: with it the kernel's own code reads the guest's rings, and nothing of QEMU's filters holds for that. Scripts
 * would be programs that QEMU starts, which it may not.
 */
export function tapNetdev(id: string, name: string): string {
	return `tap,id=${id},ifname=${name},script=no,downscript=no,vhost=off`;
}

/** QEMU opens no macvtap by itself: its device is handed over (qemu-options.hx, `-netdev tap,fd=`). */
export function macvtapNetdev(id: string, descriptor: number): string {
	return `tap,id=${id},fd=${descriptor},vhost=off`;
}
