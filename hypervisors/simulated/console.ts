import { Duplex } from 'node:stream';

/** A serial console: says who it is, and echoes. */
export function serialConsole(machineName: string, boot: string): Duplex {
	const stream = new Duplex({
		read: () => undefined,
		write(chunk: Buffer, _encoding, done) {
			this.push(chunk);
			done();
		},
		final(done) {
			this.push(null);
			done();
		},
	});
	stream.push(`${machineName}, boot ${boot}\r\n`);
	return stream;
}
