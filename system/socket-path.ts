import { RouseError } from '../model/errors.ts';

/** `sun_path` of unix(7) less its closing zero. A longer path is refused by some programs and cut off by others. */
const maxSocketPathBytes = 107;

export function fitsSocket(path: string): boolean {
	return Buffer.byteLength(path) <= maxSocketPathBytes;
}

/** Throws `config_invalid` when no Unix socket can be at this path. */
export function checkSocketPath(path: string): void {
	if (!fitsSocket(path))
		throw new RouseError('config_invalid', socketPathProblem(path), { hint: 'choose a shorter one' });
}

export function socketPathProblem(path: string): string {
	return `socket path of ${Buffer.byteLength(path)} bytes, at most ${maxSocketPathBytes}: ${path}`;
}
