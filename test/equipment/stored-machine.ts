import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { initRepository } from '../../repository/repository.ts';
import type { MissingPart } from '../../model/chunk.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { makeIdentity, places } from '../../system/installation.ts';
import { configureRepository } from './configured-repository.ts';
import { makeRequest } from './recovery-request.ts';
import { importDisks, noise, SparseSource } from './repositories.ts';

/** A request for a real restore point of a machine of 1 MiB, in a repository under the installation's home, which is configured. */
export async function storedMachine(
	home: string,
	changes: Partial<RecoveryRequest> = {},
	{
		dataBytes = 4096,
		missing,
		facts = {},
	}: { dataBytes?: number; missing?: MissingPart; facts?: Readonly<Record<string, unknown>> } = {},
): Promise<RecoveryRequest> {
	const directory = join(home, 'repository');
	const repository = await initRepository(directory);
	const source = new SparseSource(1 << 20, [{ offsetBytes: 0, bytes: noise(dataBytes, 1) }]);
	const sources = [missing ? Object.assign(source, { missing }) : source];
	const { manifestDigest } = await importDisks(repository, sources, { facts });
	await repository.store.close();
	await configureRepository({ home }, directory);
	const identity = places.hostIdentity(home);
	await mkdir(dirname(identity), { recursive: true });
	return makeRequest({ repository: directory, manifestDigest, hostId: await makeIdentity(identity), ...changes });
}
