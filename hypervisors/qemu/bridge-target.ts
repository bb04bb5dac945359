/** How a NIC on a bridge of the host is written: as a target, and for QEMU. */

export function bridgeTarget(bridge: string): string {
	return `bridge:${bridge}`;
}

/** The bridge that a target names; undefined for any other. */
export function bridgeOf(target: string): string | undefined {
	return /^bridge:([\w.-]{1,15})$/.exec(target)?.[1];
}

/**
 * `vhost=off`: with it the kernel's own code reads the guest's rings, and nothing of QEMU's filters holds for that. Scripts
 * would be programs that QEMU starts, which it may not.
 */
export function tapNetdev(id: string, name: string): string {
	return `tap,id=${id},ifname=${name},script=no,downscript=no,vhost=off`;
}
