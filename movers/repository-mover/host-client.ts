/** What a supervisor asks the service of a repository on another machine, beside the chunks that its movers ask for. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { RouseError } from '../../model/errors.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import type { RepositoryElsewhere } from '../../system/repository-elsewhere.ts';
import { callJson, type JsonPeer } from '../../system/unix-http.ts';
import { tokenAnswerSchema } from './host-requests.ts';
import { nameIn } from './tls-connections.ts';

export interface HostCall {
	recoveryId: string;
	signal?: AbortSignal | undefined;
}

type Service = Omit<RepositoryElsewhere, 'directory'>;

/** A token is made without a look at the repository. */
const tokenTimeoutMs = 5_000;
/** The service itself waits for 25 s for a repository that hangs, and then says so. */
const pinTimeoutMs = 30_000;

/**
 * The token of a recovery of this host. `mover_unreachable` while the service is away; `access_denied` when it grants none,
 * `config_invalid` for a file that is not there, or a key that others may read.
 */
export async function askToken(service: Service, { recoveryId, signal }: HostCall): Promise<string> {
	const answer = tokenAnswerSchema.safeParse(await ask(service, '/token', { recoveryId, signal }, tokenTimeoutMs));
	if (answer.success && /^[\x21-\x7e]+$/.test(answer.data.token)) return answer.data.token;
	throw new RouseError('protocol', `the service at ${service.host}:${service.port} gave what is no token`);
}

/** Pins what the recovery was granted. As `pinPoint`, and as {@link askToken}. */
export async function askPin(service: Service, call: HostCall): Promise<void> {
	await ask(service, '/pin', call, pinTimeoutMs);
}

/** Takes away the pin of a recovery of this host, and with it what it was granted. */
export async function askUnpin(service: Service, call: HostCall): Promise<void> {
	await ask(service, '/unpin', call, pinTimeoutMs);
}

async function ask(service: Service, path: string, { recoveryId, signal }: HostCall, timeoutMs: number) {
	const peer = await peerOf(service);
	return callJson(peer, 'POST', path, { recoveryId }, { unreachable: 'mover_unreachable', timeoutMs, signal });
}

async function peerOf({ host, port, authority, certificate, key }: Service): Promise<JsonPeer> {
	await mustBeSecret(key);
	const [ca, cert, secret] = await Promise.all([authority, certificate, key].map(read));
	if (ca === undefined) throw new RouseError('internal', 'three files were read');
	const servername = nameIn(ca);
	const security = { ca, cert, key: secret, servername, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] } as const;
	return { at: `${host}:${port}`, request: options => request({ ...options, host, port, ...security }) };
}

function read(path: string): Promise<Buffer> {
	return readFile(path).catch((cause: unknown) => {
		throw new RouseError('config_invalid', `${path} cannot be read: it opens the service of a repository`, {
			cause,
			hint: 'bring what `rouse repo admit` made there, and name it under repositoriesElsewhere in config.yaml',
		});
	});
}
