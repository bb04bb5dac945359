/** Requests of SFTP with other paths in them: draft-ietf-secsh-filexfer-02, of which OpenSSH speaks version 3. */
import { placeOf } from '../windows-paths.ts';

/** Section 3: those whose first field after the id is one path. */
const withPath: ReadonlySet<number> = new Set([
	3, // OPEN
	7, // LSTAT
	9, // SETSTAT
	11, // OPENDIR
	13, // REMOVE
	14, // MKDIR
	15, // RMDIR
	17, // STAT
]);
/** Length of a packet, its type, the id of the request. */
const pathAt = 4 + 1 + 4;

export class SftpPaths {
	readonly #root: string;
	#pending: Buffer = Buffer.alloc(0);

	constructor(root: string) {
		this.#root = root;
	}

	/** Whole packets, in which `/D:/Rouse/x` is where the simulated host keeps `D:\Rouse\x`. */
	push(bytes: Buffer): Buffer[] {
		this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
		const packets: Buffer[] = [];
		while (this.#pending.length >= 4) {
			const lengthBytes = 4 + this.#pending.readUInt32BE();
			if (this.#pending.length < lengthBytes) break;
			packets.push(this.#placed(this.#pending.subarray(0, lengthBytes)));
			this.#pending = this.#pending.subarray(lengthBytes);
		}
		return packets;
	}

	#placed(packet: Buffer): Buffer {
		if (!withPath.has(packet[4] ?? 0)) return packet;
		const endAt = pathAt + 4 + packet.readUInt32BE(pathAt);
		const path = packet.toString('utf8', pathAt + 4, endAt);
		if (!/^\/[A-Za-z]:\//.test(path)) return packet;
		const place = Buffer.from(placeOf(this.#root, path.slice(1).replaceAll('/', '\\')));
		const head = Buffer.alloc(pathAt + 4);
		packet.copy(head, 0, 0, pathAt);
		head.writeUInt32BE(place.length, pathAt);
		const rest = packet.subarray(endAt);
		head.writeUInt32BE(head.length - 4 + place.length + rest.length, 0);
		return Buffer.concat([head, place, rest]);
	}
}
