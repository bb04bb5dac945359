/** A guest that is nothing but a network card: it puts frames on the wire of one of QEMU's networks, and sees what comes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from './captive.ts';

const ownMac = Buffer.from('525400000001', 'hex');
/** What SLIRP's DHCP server gives to the first that asks, and where it forwards ports to. */
const ownAddress = '10.0.2.15';
const broadcast = Buffer.alloc(6, 0xff);
const types = { arp: 0x0806, ip: 0x0800 } as const;
const protocols = { tcp: 6, udp: 17 } as const;

/** A TCP segment that has come. */
export interface Segment {
	from: string;
	fromPort: number;
	port: number;
	syn: boolean;
	ack: boolean;
}

export class WireGuest {
	readonly segments: Segment[] = [];
	readonly #wire: Socket;
	#gatewayMac: Buffer | undefined;
	#rest = Buffer.alloc(0);

	private constructor(wire: Socket) {
		this.#wire = wire;
		wire.on('data', data => this.#received(data));
	}

	/** A QEMU without a machine joins the network that `netdev` describes (its id is `net0`) with this guest. */
	static async on(t: TestContext, netdev: string): Promise<WireGuest> {
		const socket = join(await temporaryDirectory(t), 'wire');
		const server = createServer().listen(socket);
		t.after(() => server.close());
		const connected = once(server, 'connection');
		const qemu = spawn(
			'qemu-system-x86_64',
			[
				['-machine', 'none', '-nodefaults', '-display', 'none', '-netdev', netdev],
				['-netdev', `stream,id=wire,server=off,addr.type=unix,addr.path=${socket}`],
				['-netdev', 'hubport,id=port0,hubid=0,netdev=net0', '-netdev', 'hubport,id=port1,hubid=0,netdev=wire'],
			].flat(),
			{ stdio: ['ignore', 'inherit', 'inherit'] },
		);
		t.after(async () => {
			qemu.kill('SIGKILL');
			await once(qemu, 'close');
		});
		const [wire] = (await connected) as [Socket];
		t.after(() => wire.destroy());
		const guest = new WireGuest(wire);
		await guest.#findGateway();
		return guest;
	}

	/** Begins a connection; an answer is a segment with SYN and ACK. */
	connect(to: string, port: number): void {
		const segment = Buffer.alloc(20);
		segment.writeUInt16BE(40_000 + (port % 20_000), 0);
		segment.writeUInt16BE(port, 2);
		segment.writeUInt32BE(1, 4);
		segment.writeUInt16BE((5 << 12) | 0x002, 12); // five words of header, SYN: RFC 9293, 3.1
		segment.writeUInt16BE(65_535, 14);
		this.#sendIp(to, protocols.tcp, segment, 16);
	}

	/** Sends a datagram with one byte in it. */
	datagram(to: string, port: number): void {
		const datagram = Buffer.alloc(9);
		datagram.writeUInt16BE(40_000, 0);
		datagram.writeUInt16BE(port, 2);
		datagram.writeUInt16BE(datagram.length, 4);
		this.#sendIp(to, protocols.udp, datagram, 6);
	}

	async #findGateway(): Promise<void> {
		const ask = () => {
			if (this.#gatewayMac === undefined) this.#arp(1, Buffer.alloc(6), '10.0.2.2');
			return this.#gatewayMac;
		};
		await waitFor('the gateway to answer', ask, { timeoutMs: 20_000, everyMs: 50 });
	}

	/** RFC 826: 1 asks, 2 answers. */
	#arp(operation: number, mac: Buffer, address: string): void {
		const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]);
		this.#send(types.arp, operation === 1 ? broadcast : mac, [
			head,
			ownMac,
			bytesOf(ownAddress),
			mac,
			bytesOf(address),
		]);
	}

	#sendIp(to: string, protocol: number, payload: Buffer, checksumAt: number): void {
		const addresses = Buffer.concat([bytesOf(ownAddress), bytesOf(to)]);
		const pseudo = Buffer.from([0, protocol, payload.length >> 8, payload.length & 0xff]);
		payload.writeUInt16BE(checksum(Buffer.concat([addresses, pseudo, payload])), checksumAt);
		const head = Buffer.concat([Buffer.from([0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0]), addresses]);
		head.writeUInt16BE(head.length + payload.length, 2);
		head.writeUInt16BE(checksum(head), 10);
		this.#send(types.ip, this.#gatewayMac ?? broadcast, [head, payload]);
	}

	/** On a stream a frame has its length before it: net/stream.c of QEMU. */
	#send(type: number, to: Buffer, parts: Buffer[]): void {
		const frame = Buffer.concat([to, ownMac, Buffer.from([type >> 8, type & 0xff]), ...parts]);
		const length = Buffer.alloc(4);
		length.writeUInt32BE(frame.length);
		this.#wire.write(Buffer.concat([length, frame]));
	}

	#received(data: Buffer): void {
		this.#rest = Buffer.concat([this.#rest, data]);
		while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUInt32BE()) {
			const end = 4 + this.#rest.readUInt32BE();
			this.#frame(this.#rest.subarray(4, end));
			this.#rest = this.#rest.subarray(end);
		}
	}

	#frame(frame: Buffer): void {
		const body = frame.subarray(14);
		if (frame.readUInt16BE(12) === types.arp) {
			const mac = Buffer.from(body.subarray(8, 14));
			const from = [...body.subarray(14, 18)].join('.');
			if (body[7] === 1) this.#arp(2, mac, from);
			else if (from === '10.0.2.2') this.#gatewayMac = mac;
		} else if (frame.readUInt16BE(12) === types.ip && body[9] === protocols.tcp) {
			const segment = body.subarray(((body[0] ?? 0) & 15) * 4);
			const flags = segment[13] ?? 0;
			this.segments.push({
				from: [...body.subarray(12, 16)].join('.'),
				fromPort: segment.readUInt16BE(0),
				port: segment.readUInt16BE(2),
				syn: (flags & 0x02) !== 0,
				ack: (flags & 0x10) !== 0,
			});
		}
	}
}

function bytesOf(address: string): Buffer {
	return Buffer.from(address.split('.').map(Number));
}

/** RFC 1071. */
function checksum(data: Buffer): number {
	let sum = 0;
	for (let at = 0; at < data.length; at += 2) sum += ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}
