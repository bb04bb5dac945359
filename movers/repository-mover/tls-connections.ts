import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { RouseError } from '../../model/errors.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import type { ChunkService } from '../config.ts';
import type { Inlet, MoverConnections } from './connections.ts';
import { otherVersion } from './protocol/hello.ts';
import { chunkProtocol } from './protocol/wire.ts';

/** What a host shows: the contents of the files that its configuration names. */
export interface Credentials {
	authority: Buffer;
	certificate: Buffer;
	key: Buffer;
	token: string;
}

/** `config_invalid` for a file that is not there, or a secret that others may read. */
export async function readCredentials(service: ChunkService): Promise<Credentials> {
	for (const secret of [service.key, service.token]) await mustBeSecret(secret);
	const read = (path: string) =>
		readFile(path).catch((cause: unknown) => {
			throw new RouseError('config_invalid', `${path} cannot be read: it opens the repository mover`, { cause });
		});
	const token = (await read(service.token)).toString('latin1').trim();
	if (!/^[\x21-\x7e]+$/.test(token)) throw new RouseError('config_invalid', `there is no token in ${service.token}`);
	return {
		authority: await read(service.authority),
		certificate: await read(service.certificate),
		key: await read(service.key),
		token,
	};
}

/** To a mover of another host. */
export function overTls(service: ChunkService, { authority, certificate, key, token }: Credentials): MoverConnections {
	const { host, port, silenceMs } = service;
	const security: ConnectionOptions = {
		ca: authority,
		cert: certificate,
		key,
		servername: nameIn(authority),
		minVersion: 'TLSv1.3',
		ALPNProtocols: [chunkProtocol],
	};
	return {
		at: `${host}:${port}`,
		hello: { naming: 'places', says: token },
		silenceMs,
		open: async inlet => {
			const bare = connect({ host, port, noDelay: true });
			const socket = await whenSecure(bare, { security, silenceMs });
			// Of what TLS has not put together yet: a record takes long on a slow line.
			return { socket, goOn: pour(socket, inlet), heardBytes: () => bare.bytesRead };
		},
	};
}

/** Nobody signs for this authority but itself: its own name is that of its server (repository/service/service-keys.ts). */
export function nameIn(authority: Buffer): string {
	return new X509Certificate(authority).subject.replace(/^CN=/, '');
}

/** What comes of the connection goes into the inlet, which is called with no more of it until the returned function is. */
function pour(socket: Socket, inlet: Inlet): () => void {
	let rest: Buffer | undefined;
	const take = (part: Buffer) => {
		let at = 0;
		for (let goesOn = true; goesOn && at < part.length; ) {
			const bytes = part.copy(inlet.room, 0, at);
			at += bytes;
			goesOn = inlet.filled(bytes);
			if (!goesOn) socket.pause();
		}
		rest = at < part.length ? part.subarray(at) : undefined;
	};
	socket.on('data', take);
	return () => {
		socket.resume();
		if (rest !== undefined) take(rest);
	};
}

interface Securing {
	security: ConnectionOptions;
	silenceMs: number;
}

/**
 * The connection when the other side has shown the right certificate, and not before: what is said on it has the token in it.
 * `protocol` for one that knows another version alone.
 */
function whenSecure(socket: Socket, { security, silenceMs }: Securing): Promise<TLSSocket> {
	const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
	const end = (failure: Error) => {
		clearTimeout(deadline);
		socket.destroy();
		reject('code' in failure && failure.code === noSuchProtocol ? otherVersion(undefined) : failure);
	};
	const deadline = setTimeout(() => end(new Error(`no connection within ${silenceMs} ms`)), silenceMs);
	socket.on('error', end);
	socket.once('connect', () => {
		const secure = connectTls({ ...security, socket });
		secure.on('error', end);
		secure.once('close', () => end(new Error('the other side closed the connection')));
		secure.once('secureConnect', () => {
			clearTimeout(deadline);
			if (secure.alpnProtocol === chunkProtocol) resolve(secure);
			else end(otherVersion(undefined));
		});
	});
	return promise;
}

/** Of a server that knows none of our versions (RFC 7301, 3.2). */
const noSuchProtocol = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
