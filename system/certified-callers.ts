import { readFile } from 'node:fs/promises';
import type { TlsOptions } from 'node:tls';

/** A connection without a handshake is closed after this. */
const handshakeMs = 10_000;

/**
 * Of a TLS server that speaks these protocols (ALPN), and that with nobody but who shows a certificate of the authority. All are
 * paths of PEM files.
 */
export async function certifiedCallersOnly(
	{ authority, own }: { authority: string; own: { key: string; certificate: string } },
	protocols: string[],
): Promise<TlsOptions> {
	return {
		ca: await readFile(authority),
		cert: await readFile(own.certificate),
		key: await readFile(own.key),
		requestCert: true,
		rejectUnauthorized: true,
		minVersion: 'TLSv1.3',
		ALPNProtocols: protocols,
		handshakeTimeout: handshakeMs,
	};
}
