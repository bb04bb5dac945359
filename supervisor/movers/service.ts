/** The service of a repository on another machine, for one recovery of this host. */
import { RouseError } from '../../model/errors.ts';
import { type ChunkService, chunkServiceSchema } from '../../movers/config.ts';
import type { HostCall } from '../../movers/repository-mover/host-client.ts';
import type { FindElsewhere } from '../../system/configured-repositories.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { readIfThere } from '../../system/if-there.ts';
import type { RepositoryElsewhere } from '../../system/repository-elsewhere.ts';

/** Of the host. */
export interface ServiceParts {
	/** Where a repository is that is on another machine. */
	findElsewhere: FindElsewhere;
	/** As `askToken` of movers/repository-mover/host-client.ts. */
	askToken: (service: RepositoryElsewhere, call: HostCall) => Promise<string>;
}

export interface ServiceUse {
	/** As the plan names it. */
	repository: string;
	recoveryId: string;
	/** Where its token lies, which movers read as they start. */
	token: string;
}

/** As config.yaml says at the call, with the token in its place: one that is missing is asked for, once. */
export async function chunkService(parts: ServiceParts, use: ServiceUse, signal?: AbortSignal): Promise<ChunkService> {
	const service = await find(parts, use.repository);
	if ((await readIfThere(use.token)) === undefined) {
		const token = await parts.askToken(service, { recoveryId: use.recoveryId, signal });
		await replaceFileDurably(use.token, `${token}\n`);
	}
	const { host, port, authority, certificate, key } = service;
	return chunkServiceSchema.parse({ host, port, authority, certificate, key, token: use.token });
}

/** `repository_unknown` for one that was taken out of the configuration while a recovery reads from it. */
async function find({ findElsewhere }: ServiceParts, directory: string): Promise<RepositoryElsewhere> {
	const found = await findElsewhere(directory);
	if (found !== undefined) return found;
	throw new RouseError('repository_unknown', `config.yaml says no more where repository ${directory} is`, {
		hint: 'put its entry under repositoriesElsewhere back: a recovery reads from it',
		details: { repository: directory },
	});
}
