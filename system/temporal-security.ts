import { readFile, stat } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { mustBeSecret } from './secret-file.ts';
import type { TemporalTarget } from './temporal-target.ts';

/** As both of Temporal's connections take it. */
export interface ConnectionSecurity {
	tls?: {
		serverNameOverride?: string;
		serverRootCACertificate?: Buffer;
		clientCertPair?: { crt: Buffer; key: Buffer };
	};
	apiKey?: string;
}

/** Reads the files that a target names; `config_invalid` with the path of one that cannot be read. */
export async function readSecurity({ tls, apiKeyFile }: TemporalTarget): Promise<ConnectionSecurity> {
	const { authority, certificate, key, serverName } = tls ?? {};
	return {
		...(tls
			? {
					tls: {
						...(serverName === undefined ? {} : { serverNameOverride: serverName }),
						...(authority === undefined ? {} : { serverRootCACertificate: await readKey(authority) }),
						...(certificate === undefined || key === undefined
							? {}
							: { clientCertPair: { crt: await readKey(certificate), key: await readSecret(key) } }),
					},
				}
			: {}),
		...(apiKeyFile === undefined ? {} : { apiKey: (await readSecret(apiKeyFile)).toString('utf8').trim() }),
	};
}

/** Of its owner alone: who else may read it has it. */
async function readSecret(path: string): Promise<Buffer> {
	await mustBeSecret(path);
	return readKey(path);
}

async function readKey(path: string): Promise<Buffer> {
	try {
		if (!(await stat(path)).isFile()) throw new Error(`${path} is no file`); // a pipe would be waited for
		return await readFile(path);
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new RouseError('config_invalid', `what opens Temporal cannot be read: ${why}`, { cause });
	}
}
