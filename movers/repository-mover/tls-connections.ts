import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { type Socket, connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { RouseError } from '../../model/errors.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import type { ChunkService } from '../config.ts';
import type { Exchange, MoverConnections } from './connections.ts';
import { encodePlaces } from './wire.ts';

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
	// Else Node would say it in a message of its own, with the token in it.
	if (!/^[\x21-\x7e]+$/.test(token)) throw new RouseError('config_invalid', `there is no token in ${service.token}`);
	return {
		authority: await read(service.authority),
		certificate: await read(service.certificate),
		key: await read(service.key),
		token,
	};
}

/** Looks at a connection within the time in which it must say something. Counted, so that a process that was stopped cuts none. */
const looks = 5;

/** To a mover of another host. */
export function overTls(service: ChunkService, { authority, certificate, key, token }: Credentials): MoverConnections {
	const { host, port, silenceMs } = service;
	const security: ConnectionOptions = {
		ca: authority,
		cert: certificate,
		key,
		servername: nameIn(authority),
		minVersion: 'TLSv1.3',
		ALPNProtocols: ['http/1.1'],
	};
	const agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
	// Of what TLS has not put together yet: a record takes long on a slow line.
	const bare = new WeakMap<Socket, Socket>();
	agent.createConnection = (_options, callback) => {
		const socket = connect({ host, port, noDelay: true });
		whenSecure(socket, { security, silenceMs }, (failure, secure) => {
			if (secure) bare.set(secure, socket);
			callback?.(failure, secure ?? socket);
		});
		return undefined;
	};
	const forgetIdle = () => {
		for (const idle of Object.values(agent.freeSockets)) for (const socket of idle ?? []) socket.destroy();
	};
	return {
		at: `${host}:${port}`,
		headers: { authorization: `Bearer ${token}` },
		encode: encodePlaces,
		request: options => request({ ...options, host, port, agent }),
		heard: (exchange, awaited) => {
			const heardBytes = () => (exchange.socket ? bare.get(exchange.socket)?.bytesRead : undefined);
			return unlessSilent(exchange, awaited, { heardBytes, silenceMs, onSilence: forgetIdle });
		},
		close: () => agent.destroy(),
	};
}

/** Nobody signs for this authority but itself: its own name is that of its server (repository/service/service-keys.ts). */
export function nameIn(authority: Buffer): string {
	return new X509Certificate(authority).subject.replace(/^CN=/, '');
}

interface Securing {
	security: ConnectionOptions;
	silenceMs: number;
}

/**
 * Calls `done` once, with the connection when the other side has shown the right certificate, and not before: a request has
 * the token in it.
 */
function whenSecure(
	socket: Socket,
	{ security, silenceMs }: Securing,
	done: (failure: Error | null, secure?: TLSSocket) => void,
): void {
	const deadline = setTimeout(() => end(new Error(`no connection within ${silenceMs} ms`)), silenceMs);
	let ended = false;
	const end = (failure: Error | null, secure?: TLSSocket) => {
		if (ended) return;
		ended = true;
		clearTimeout(deadline);
		if (failure) socket.destroy();
		done(failure, secure);
	};
	socket.on('error', end);
	socket.once('connect', () => {
		const secure = connectTls({ ...security, socket });
		secure.on('error', end);
		secure.once('close', () => end(new Error('the other side closed the connection')));
		secure.once('secureConnect', () => end(null, secure));
	});
}

interface Silence {
	/** How much has come of the connection; undefined when there is none. */
	heardBytes: () => number | undefined;
	silenceMs: number;
	/** Other connections of the same age are as dead. */
	onSilence: () => void;
}

async function unlessSilent<T>(
	exchange: Exchange,
	awaited: Promise<T>,
	{ heardBytes, silenceMs, onSilence }: Silence,
): Promise<T> {
	let heard = heardBytes();
	let unheard = 0;
	const timer = setInterval(() => {
		const now = heardBytes();
		unheard = now === heard ? unheard + 1 : 0;
		heard = now;
		if (unheard < looks) return;
		onSilence();
		exchange.destroy(new Error(`nothing was heard of it for ${silenceMs} ms`));
	}, silenceMs / looks);
	try {
		return await awaited;
	} finally {
		clearInterval(timer);
	}
}
