import { Client, Connection } from '@temporalio/client';
import { RouseError } from '../model/errors.ts';
import { type Config, type Installation, loadConfig } from '../system/installation.ts';
import { ClientCodec } from '../system/payload-codec.ts';
import { readSecurity } from '../system/temporal-security.ts';
import { readTemporalTarget, type TemporalTarget } from '../system/temporal-target.ts';
import { caller } from './caller.ts';

/** A command that finds nobody must say so while the person still looks at it. */
const connectTimeoutMs = 3_000;

export interface TemporalClient {
	readonly client: Client;
	readonly target: TemporalTarget;
	/** Who acts with it. */
	readonly caller: string;
	/** Opens what is read without the SDK's own decoding. */
	readonly codec: ClientCodec;
	close(): Promise<void>;
}

/** Connects to the installation's Temporal; `temporal_unreachable` when nobody answers within some three seconds. */
export async function connectTemporal(installation: Installation, config?: Config): Promise<TemporalClient> {
	const target = await readTemporalTarget(installation, config ?? (await loadConfig(installation)));
	return connectTo(target);
}

export async function connectTo(target: TemporalTarget): Promise<TemporalClient> {
	const { address, namespace } = target;
	const security = await readSecurity(target);
	const codec = await ClientCodec.of(target);
	let connection: Connection;
	try {
		connection = await Connection.connect({ address, ...security, connectTimeout: connectTimeoutMs });
	} catch (cause) {
		throw unreachable(target, cause);
	}
	const client = new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] } });
	return { client, target, codec, caller: caller(), close: () => connection.close() };
}

export function unreachable(target: TemporalTarget, cause?: unknown): RouseError {
	// The SDK says what was called, and gRPC below it why that failed.
	const said = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
	const why = said instanceof Error ? `: ${said.message}` : '';
	return new RouseError('temporal_unreachable', `Temporal does not answer at ${target.address}${why}`, { cause });
}

/** Every installation has a namespace of its own: somebody else's server may have got the port of ours. */
export function foreignServer({ address, namespace }: TemporalTarget, cause?: unknown): RouseError {
	const message = `the server at ${address} has no namespace ${namespace}: it is not the server of this installation`;
	return new RouseError('temporal_unreachable', message, { cause });
}
