import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { repositoryMoverConfigSchema } from '../../movers/config.ts';
import { checkSocketPath } from '../../system/socket-path.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

/** A path of so many bytes, of which fewer are characters. */
const pathOf = (bytes: number, directory = '/run') => `${directory}/é`.padEnd(bytes - 1, 'x');

describe('`checkSocketPath`', () => {
	it('accepts 107 bytes, at which a server can listen', async t => {
		const path = pathOf(107, await temporaryDirectory(t));
		assert.equal(Buffer.byteLength(path), 107);
		checkSocketPath(path);
		const server = createServer();
		t.after(() => server.close());
		await listenOnSocket(server, path);
	});

	it('refuses 108 bytes with `config_invalid`, counting bytes and not characters', () => {
		const refused = { code: 'config_invalid', message: /108 bytes, at most 107/ };
		assert.throws(() => checkSocketPath(pathOf(108)), refused);
	});
});

describe('who listens on a socket refuses a path that is too long', () => {
	it('`listenOnSocket`', async t => {
		const server = createServer();
		t.after(() => server.close());
		const path = pathOf(108, await temporaryDirectory(t));
		await assert.rejects(listenOnSocket(server, path), { code: 'config_invalid' });
	});

	it("a mover's configuration", () => {
		const config = { repository: '/r', recoveries: '/h', chunkSocket: pathOf(107), controlSocket: pathOf(108) };
		assert.deepEqual(
			repositoryMoverConfigSchema.safeParse(config).error?.issues.map(({ path, message }) => [path, message]),
			[[['controlSocket'], `socket path of 108 bytes, at most 107: ${pathOf(108)}`]],
		);
	});
});
