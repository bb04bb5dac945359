import { formatBytes } from '../../model/format-bytes.ts';
import type { FileNode } from '../file-node.ts';
import { builtInModules, forbiddenModules, moduleNameOf } from '../linux-modules.ts';
import { unreadable } from '../volume.ts';
import { ByteReader } from './byte-reader.ts';
import { isCpio, readCpio } from './cpio.ts';
import { packerOf, unpack } from './unpack.ts';

/** What an initramfs has of the modules of one version of the kernel. */
export interface ModulesOfVersion {
	/** Among those that were looked for. */
	modules: Set<string>;
	/** Those that the kernel has built in; undefined when it does not tell. */
	builtIn: ReadonlySet<string> | undefined;
}

export interface InitramfsContents {
	/** By version, as its folders are named. */
	versions: Map<string, ModulesOfVersion>;
	/** Modules that must not be loaded. */
	forbidden: Set<string>;
}

const mostPackedBytes = 512 * 2 ** 20;
const mostUnpackedBytes = 2 ** 30;
const mostTextBytes = 2 ** 20;
const mostArchives = 64;
const mostVersions = 8;

/**
 * Reads an initramfs whole: archives one after another, some of them packed
 * (https://docs.kernel.org/driver-api/early-userspace/buffer-format.html). Throws `source_invalid` unless it saw all of it.
 */
export async function readInitramfs(file: FileNode, wanted: ReadonlySet<string>): Promise<InitramfsContents> {
	if (file.sizeBytes > mostPackedBytes) throw unreadable(`it has ${formatBytes(file.sizeBytes)}, which none needs`);
	const contents = new Contents(wanted);
	let archives = 0;
	for (let at = 0; at < file.sizeBytes; ) {
		if (++archives > mostArchives) throw unreadable(`it has more than ${mostArchives} archives`);
		const reader = new ByteReader(file.content(at));
		try {
			if (!(await reader.skipZeros())) break;
			at += reader.takenBytes;
			at += isCpio(await reader.peek(6)) ? await contents.addArchive(reader) : await addPacked(contents, reader);
		} finally {
			await reader.close();
		}
	}
	if (archives === 0) throw unreadable('it is empty');
	return contents;
}

/** How many bytes the packed part had. The reader is of no more use: the unpacker may have wanted less than it was given. */
async function addPacked(contents: Contents, reader: ByteReader): Promise<number> {
	const packer = packerOf(await reader.peek(6));
	const unpacked = packer === undefined ? undefined : unpack(packer, reader.remaining());
	if (unpacked === undefined) throw unreadable(packer ? `it is packed by ${packer}` : 'it is packed in an unknown way');
	const inner = new ByteReader(bounded(unpacked.pieces));
	try {
		while (await inner.skipZeros()) await contents.addArchive(inner);
	} finally {
		await inner.close();
	}
	const bytes = unpacked.packedBytes();
	if (bytes <= 0) throw unreadable('a packed part of it is empty');
	return bytes;
}

async function* bounded(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let bytes = 0;
	for await (const piece of pieces) {
		bytes += piece.length;
		if (bytes > mostUnpackedBytes) throw unreadable(`it has more than ${formatBytes(mostUnpackedBytes)} when unpacked`);
		yield piece;
	}
}

class Contents implements InitramfsContents {
	readonly versions = new Map<string, ModulesOfVersion>();
	readonly forbidden = new Set<string>();
	readonly #wanted: ReadonlySet<string>;

	constructor(wanted: ReadonlySet<string>) {
		this.#wanted = wanted;
	}

	/** How many bytes it had. */
	async addArchive(reader: ByteReader): Promise<number> {
		const start = reader.takenBytes;
		const wants = (name: string, sizeBytes: number) => sizeBytes <= mostTextBytes && isText(name);
		for await (const { name, content } of readCpio(reader, wants)) {
			if (content && rules.test(name))
				for (const module of forbiddenModules(content.toString('utf8'))) this.#forbid(module);
			const [, version, path] = modulePath.exec(name) ?? [];
			if (version === undefined || path === undefined) continue;
			if (path === 'modules.builtin' && content) this.#of(version).builtIn = builtInModules(content.toString('utf8'));
			const module = moduleNameOf(path);
			if (module !== undefined && this.#wanted.has(module)) this.#of(version).modules.add(module);
		}
		return reader.takenBytes - start;
	}

	#of(version: string): ModulesOfVersion {
		const known = this.versions.get(version) ?? { modules: new Set(), builtIn: undefined };
		if (this.versions.size >= mostVersions && !this.versions.has(version))
			throw unreadable(`it has modules for more than ${mostVersions} kernels`);
		this.versions.set(version, known);
		return known;
	}

	#forbid(module: string): void {
		if (this.#wanted.has(module)) this.forbidden.add(module);
	}
}

const modulePath = /^(?:usr\/)?lib\/modules\/([^/]+)\/(.+)$/;
/** modprobe.d(5) */
const rules = /^(?:usr\/)?(?:etc|lib)\/modprobe\.d\/[^/]+\.conf$/;

function isText(name: string): boolean {
	return rules.test(name) || modulePath.exec(name)?.[2] === 'modules.builtin';
}
