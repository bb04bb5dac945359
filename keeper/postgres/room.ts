/**
 * As whom PostgreSQL runs, and where. It refuses to be root, and of root's home nobody else sees anything: so it gets a mount
 * namespace in which its own two directories lie at places of their own. Each program becomes the next, so that the pid
 * which took the lock stays PostgreSQL's.
 */
import { userInfo } from 'node:os';
import { RouseError } from '../../model/errors.ts';
import type { FileOwner } from '../../system/durable-file.ts';
import { runTool } from '../../system/run-tool.ts';
import type { Program } from '../../system/spawn-locked.ts';
import { installPostgres } from './programs.ts';

/** As they are named from outside. */
export interface PostgresPlaces {
	data: string;
	sockets: string;
}

export interface PostgresRoom {
	/** Whose the files are; absent: the user's who runs Rouse. */
	owner?: FileOwner;
	/** `program` is given the places as they are named inside. */
	enter: (places: PostgresPlaces, program: (inside: PostgresPlaces) => Program) => Program;
}

/** Debian's package makes it. */
const systemUser = 'postgres';

export async function openRoom(): Promise<PostgresRoom> {
	if (userInfo().uid !== 0) return { enter: (places, program) => program(places) };
	const owner = { uid: await idOf('-u'), gid: await idOf('-g') };
	return { owner, enter: (places, program) => entered(owner, places, program(inside)) };
}

async function idOf(which: '-u' | '-g'): Promise<number> {
	const { code, stdout, tail } = await runTool('id', [which, systemUser], { hint: 'apt-get install coreutils' });
	if (code === 0) return Number(stdout);
	throw new RouseError('tool_missing', `PostgreSQL runs as the user ${systemUser}: ${tail.join(' ')}`, {
		hint: installPostgres,
	});
}

/** On a file system of this namespace alone; what lies there outside is hidden from it. */
const inside: PostgresPlaces = { data: '/mnt/data', sockets: '/mnt/sockets' };

/**
 * The directories are held open while /mnt is covered, since they may lie below it. Slave: what the host unmounts is unmounted
 * in here as well.
 */
const script = `set -eu
data=$1 sockets=$2 user=$3
shift 3
cd /
exec 8<"$data" 9<"$sockets"
mount -t tmpfs -o mode=755,size=64k rouse /mnt
mkdir -m 700 ${inside.data} ${inside.sockets}
mount --no-canonicalize --bind /proc/self/fd/8 ${inside.data}
mount --no-canonicalize --bind /proc/self/fd/9 ${inside.sockets}
exec 8<&- 9<&-
unset PWD
exec setpriv --reuid "\${user%:*}" --regid "\${user#*:}" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"`;

function entered({ uid, gid }: FileOwner, { data, sockets }: PostgresPlaces, { command, args }: Program): Program {
	const chain = ['-m', '--propagation', 'slave', 'sh', '-c', script, 'sh', data, sockets, `${uid}:${gid}`];
	return { command: 'unshare', args: [...chain, command, ...args] };
}
