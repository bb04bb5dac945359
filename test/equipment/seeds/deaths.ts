import type { RecoveryRequest } from '../../../model/recovery.ts';
import type { SeededHost } from './seeded-host.ts';

export const companions = [
	'nobody',
	'machine',
	'mount mover',
	'migration mover',
	'repository mover',
	'supervisor',
] as const;

/** A supervisor dies at a place on its way, and with it somebody else; its successor, when that is `supervisor`. */
export interface Death {
	place: string;
	with: (typeof companions)[number];
}

/** It comes when a supervisor of this host is there. */
export function prepare(
	{ place, with: companion }: Death,
	host: SeededHost,
	{ name, repository }: RecoveryRequest,
	recoveryId: () => Promise<string>,
): void {
	const { movers } = host.parts;
	const also = {
		nobody: () => undefined,
		machine: () => host.killMachine(name),
		'mount mover': async () => movers.pair(await recoveryId()).mount.die(),
		'migration mover': async () => movers.pair(await recoveryId()).migration.die(),
		'repository mover': () => movers.repositoryLife(repository).die(),
		supervisor: () => {
			host.death = { place, also: () => undefined };
		},
	}[companion];
	host.death = { place, also };
}
