/**
 * The networks `user` and `isolated`: a router inside QEMU (SLIRP), restricted. Without that its guest reaches all that this host reaches,
 * the host's own loopback first of all (10.0.2.2), and what listens there trusts who comes from there.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { RouseError } from '../../model/errors.ts';
import { isolatedNetwork } from '../../model/isolated-network.ts';
import type { Forward, PlannedNic } from '../../model/recovery.ts';
import { isErrno } from '../../system/durable-file.ts';

export const userNetwork = {
	name: 'user',
	description:
		'the guest reaches nothing; ports that are forwarded lead to it, when it takes its address by DHCP (SLIRP)',
} as const;

/** The same by the name that all platforms have for it, which drills ask for: nothing of it may come to lead further. */
export const isolatedUserNetwork = {
	name: isolatedNetwork,
	description: "the same, by the name that drills use: nobody else is there, and no address is in anybody's way",
} as const;

export function isUserNetwork(target: string): boolean {
	return target === userNetwork.name || target === isolatedUserNetwork.name;
}

/**
 * `restrict` drops what the guest sends to the host and beyond, but not the answers on forwarded ports: qemu-options.hx,
 * `-netdev user`. IPv6 has no forwards, and so no use.
 */
export function userNetdev(id: string, forwards: readonly Forward[]): string {
	const ports = forwards.map(({ address, port, guestPort }) => `,hostfwd=tcp:${address}:${port}-:${guestPort}`);
	return `user,id=${id},restrict=on,ipv6=off${ports.join('')}`;
}

/** Which NIC has the forwards: a network of that kind is a NIC's own, and an address is forwarded once. */
export function forwardingNic(nics: readonly Pick<PlannedNic, 'target'>[]): number {
	return nics.findIndex(({ target }) => isUserNetwork(target));
}

/** `config_invalid` for forwards that lead nowhere, or two ways. */
export function checkForwards(forwards: readonly Forward[], nics: readonly PlannedNic[]): void {
	if (forwards.length === 0) return;
	if (forwardingNic(nics) < 0)
		throw new RouseError('config_invalid', 'ports are to be forwarded, and no NIC is on the network "user"', {
			hint: `put one there: --network ${nics[0]?.network ?? 'SRC'}=user`,
		});
	const places = forwards.map(({ address, port }) => `${address}:${port}`);
	const twice = places.find((place, index) => places.indexOf(place) !== index);
	if (twice !== undefined) throw new RouseError('config_invalid', `${twice} is to be forwarded twice`);
}

/**
 * `precheck_failed` for one that cannot be listened on. It is only free until somebody takes it: QEMU looks again. `asUser`:
 * the machine runs as a user of its own, who has none of root's ports.
 */
export async function checkPorts(
	forwards: readonly Forward[],
	{ asUser, firstFree = firstUnprivilegedPort }: { asUser: boolean; firstFree?: () => Promise<number> },
): Promise<void> {
	const least = asUser && forwards.length > 0 ? await firstFree() : 0;
	for (const { address, port } of forwards) {
		if (port < least)
			throw new RouseError(
				'precheck_failed',
				`${address}:${port} cannot be forwarded: ports below ${least} take root, and machines run as users of their own`,
				{
					hint: `forward one from ${least} up; host: {machineUids: none} in config.yaml runs machines as root`,
				},
			);
		const server = createServer();
		try {
			await once(server.listen({ host: address, port, exclusive: true }), 'listening');
		} catch (cause) {
			const why = portText(cause);
			throw new RouseError('precheck_failed', `${address}:${port} cannot be forwarded to the guest: ${why}`, {
				hint: 'end what listens there, or forward another port',
				cause,
			});
		} finally {
			server.close();
		}
	}
}

function portText(cause: unknown): string {
	if (isErrno(cause, 'EADDRINUSE')) return 'something listens there already';
	if (isErrno(cause, 'EADDRNOTAVAIL')) return 'this host has no such address';
	return cause instanceof Error ? cause.message : String(cause);
}

/** ip_unprivileged_port_start: networking/ip-sysctl in the documentation of Linux. */
async function firstUnprivilegedPort(): Promise<number> {
	return Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'));
}
