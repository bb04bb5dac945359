/** An NBD server, by our own, whose reads of the disk's second half wait until they are released. Runs in the appliance. */
import { createServer } from 'node:http';
import { rm } from 'node:fs/promises';
import { type NbdExport, NbdExports } from '../../../nbd/server/export.ts';
import { serveNbd } from '../../../nbd/server/server.ts';

const sizeBytes = 8 * 1024 ** 3;
const held = new Set<() => void>();
const disk: NbdExport = {
	name: 'volume-wait',
	description: 'half of it waits',
	sizeBytes,
	metaContexts: ['base:allocation'],
	readNow(into, at, offset, length) {
		if (offset + length > sizeBytes / 2) return 'later';
		into.fill(offset / 4096, at, at + length);
		return 'data';
	},
	readLater(_offset, length, done) {
		const answer = () => done(Buffer.alloc(length, 0xcc));
		held.add(answer);
		return { cancel: () => held.delete(answer) };
	},
	blockStatus(contexts, { length }, done) {
		done(contexts.map(() => [{ length, flags: 0 }]));
		return { cancel() {} };
	},
	willNeed() {},
	// As the volume is; what is written is forgotten.
	writer: { write: (_offset, _bytes, _durable, done) => done(), flush: done => done() },
};

const [path = ''] = process.argv.slice(2);
await rm(path, { force: true });
await serveNbd(path, new NbdExports([disk]));
createServer((request, answer) => {
	if (request.url === '/release') for (const one of held) one();
	if (request.url === '/release') held.clear();
	answer.end(String(held.size));
}).listen(3301, '127.0.0.1', () => console.log('serving'));
