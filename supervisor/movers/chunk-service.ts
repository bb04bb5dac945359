import { RouseError } from '../../model/errors.ts';
import { type ChunkService, chunkServiceSchema } from '../../movers/config.ts';
import type { FindElsewhere } from '../../system/configured-repositories.ts';

/** What serves a repository of another machine, as config.yaml says it at the call, with the token of one recovery. */
export async function chunkService(find: FindElsewhere, directory: string, token: string): Promise<ChunkService> {
	const { host, port, authority, certificate, key } = await findAgain(find, directory);
	return chunkServiceSchema.parse({ host, port, authority, certificate, key, token });
}

/** `repository_unknown` for one that was taken out of the configuration while a recovery reads from it. */
export async function findAgain(find: FindElsewhere, directory: string) {
	const found = await find(directory);
	if (found !== undefined) return found;
	throw new RouseError('repository_unknown', `config.yaml says no more where repository ${directory} is`, {
		hint: 'put its entry under repositoriesElsewhere back: a recovery reads from it',
		details: { repository: directory },
	});
}
