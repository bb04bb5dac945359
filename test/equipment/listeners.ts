import { readdir, readFile, readlink } from 'node:fs/promises';

/** What these processes listen on that has no file: TCP and UDP ports, and abstract Unix sockets, as "tcp 0100007F:1C41". */
export async function openListeners(pids: readonly number[]): Promise<string[]> {
	const found: string[] = [];
	for (const pid of pids) {
		const own = await socketsOf(pid);
		for (const protocol of ['tcp', 'tcp6', 'udp', 'udp6'])
			for (const [, local, , state, , , , , , inode] of await lines(`/proc/${pid}/net/${protocol}`))
				if (inode !== undefined && own.has(inode) && (state === listening || protocol.startsWith('udp')))
					found.push(`${protocol} ${local}`);
		for (const [, , , , , , inode, path] of await lines(`/proc/${pid}/net/unix`))
			if (inode !== undefined && own.has(inode) && path?.startsWith('@')) found.push(`unix ${path}`);
	}
	return found;
}

/** TCP_LISTEN: include/net/tcp_states.h. */
const listening = '0A';

async function socketsOf(pid: number): Promise<Set<string>> {
	const links: string[] = [];
	for (const name of await readdir(`/proc/${pid}/fd`))
		links.push(await readlink(`/proc/${pid}/fd/${name}`).catch(() => ''));
	return new Set(links.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

async function lines(path: string): Promise<string[][]> {
	const [, ...rest] = (await readFile(path, 'latin1')).trimEnd().split('\n');
	return rest.map(line => line.trim().split(/\s+/));
}
