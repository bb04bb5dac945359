import { RouseError } from '../../model/errors.ts';
import type { MoverConfigOfChunks } from '../config.ts';
import { RepositoryMoverClient } from './client.ts';
import { overSocket } from './connections.ts';

/** The client of the repository mover that a mover's configuration names. `config_invalid` for what it is to show there. */
export async function openRepositoryMover({
	chunkSocket,
	chunkService,
	recoveryId,
}: MoverConfigOfChunks & { recoveryId?: string }): Promise<RepositoryMoverClient> {
	if (chunkSocket !== undefined) return new RepositoryMoverClient(overSocket(chunkSocket, recoveryId));
	if (chunkService === undefined)
		throw new RouseError('config_invalid', 'neither chunkSocket nor chunkService is said');
	// Only where it is needed: each thread of a copy would load TLS for itself.
	const { overTls, readCredentials } = await import('./tls-connections.ts');
	return new RepositoryMoverClient(overTls(chunkService, await readCredentials(chunkService)));
}
