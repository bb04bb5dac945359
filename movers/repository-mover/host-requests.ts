import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import type { RepositoryAccess } from '../../repository/access/calls.ts';
import { type Asking, mayUnpin, mustBeGranted } from '../../repository/service/admission.ts';
import type { Grants } from '../../repository/service/grants.ts';
import { unpinGranted } from '../../repository/service/unpin-granted.ts';
import { makeToken } from '../../repository/service/point-token.ts';
import type { JsonCall } from '../../system/unix-http.ts';

export interface HostRequestsOptions {
	/** What is served. */
	directory: string;
	tokenKey: Uint8Array;
	grants: Pick<Grants, 'read' | 'end' | 'forget'>;
	/** For pins; a call may hang for as long as its deadline, and holds up nobody else. */
	access: Pick<RepositoryAccess, 'pin' | 'unpin'>;
}

/** Of each request. */
const hostRequestSchema = z.strictObject({ recoveryId: z.uuid() });
export const tokenAnswerSchema = z.object({ token: z.string() });

/** What supervisors of hosts elsewhere ask beside chunks: `POST /token`, `/pin` and `/unpin` of a recovery of theirs. */
export class HostRequests {
	readonly #options: HostRequestsOptions;

	constructor(options: HostRequestsOptions) {
		this.#options = options;
	}

	/** `host` is who asks, by its certificate. `access_denied` for what is not its own. */
	async answer(host: string, { method, path, body, signal }: JsonCall): Promise<unknown> {
		const { directory } = this.#options;
		const [what, ...more] = path;
		if (method !== 'POST' || more.length > 0) throw unknown(method, path);
		const asking = { host, repository: directory, recoveryId: parse(body) };
		if (what === 'token') return this.#token(asking);
		if (what === 'pin') return this.#pin(asking, signal);
		if (what === 'unpin') return this.#unpin(asking, signal);
		throw unknown(method, path);
	}

	/** Without a look at the repository, which may be away. */
	async #token(asking: Asking): Promise<z.infer<typeof tokenAnswerSchema>> {
		const { grants, tokenKey } = this.#options;
		const grant = mustBeGranted(await grants.read(asking.recoveryId), asking);
		const { recoveryId, machine, restorePoint: time, manifestDigest } = grant;
		return { token: makeToken(tokenKey, { recoveryId, machine, time, manifestDigest }) };
	}

	async #pin(asking: Asking, signal: AbortSignal): Promise<void> {
		const { grants, access } = this.#options;
		const grant = mustBeGranted(await grants.read(asking.recoveryId), asking);
		const { recoveryId, machine, restorePoint, manifestDigest, name } = grant;
		const pin = { recoveryId, machine, restorePoint, manifestDigest, reason: `recovery ${name}` };
		await access.pin(asking.repository, pin, signal);
	}

	async #unpin(asking: Asking, signal: AbortSignal): Promise<void> {
		const { grants, access } = this.#options;
		const { recoveryId, repository } = asking;
		if (!mayUnpin(await grants.read(recoveryId), asking)) return;
		await unpinGranted({ grants, access }, repository, recoveryId, signal);
	}
}

/** Who shows the certificate with which the connection was made. */
export function hostOf({ socket }: IncomingMessage): string {
	const name: unknown = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined;
	if (typeof name === 'string') return name;
	throw new RouseError('access_denied', 'the certificate names no host');
}

function parse(body: unknown): string {
	const result = hostRequestSchema.safeParse(body);
	if (result.success) return result.data.recoveryId;
	throw new RouseError('protocol', `a request to the service: ${refusalText(result.error)}`);
}

function unknown(method: string, path: readonly string[]): RouseError {
	return new RouseError('protocol', `${method} /${path.join('/')} is not answered here`);
}
