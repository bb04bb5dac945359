import { mkdir, rm, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { namesIn } from '../../../system/names-in.ts';
import { exists } from '../../../system/if-there.ts';
import { checkSocketPath } from '../../../system/socket-path.ts';
import { IscsiSession } from './iscsi-session.ts';
import { breaks, type WindowsError } from './rules.ts';
import { endStorageDaemon, type StorageDaemon, startStorageDaemon, whatItSaid } from './storage-daemon.ts';
import type { Initiator, Login, RemoteDisk } from './volumes.ts';

/** MaxRequestHoldTime of MSiSCSI: https://learn.microsoft.com/windows-hardware/drivers/storage/registry-entries-for-iscsi */
const usualPatienceMs = 60_000;

/**
 * The host's initiator: QEMU's, which is libiscsi, in a qemu-storage-daemon for each session. It logs in with CHAP, keeps what
 * is under way while its session is lost, and shows LUN 1 as an NBD export.
 */
export class IscsiInitiator implements Initiator {
	readonly #directory: string;
	readonly #patienceMs: number;
	#sessions = 0;

	constructor(directory: string, { patienceMs = usualPatienceMs }: { patienceMs?: number } = {}) {
		this.#directory = directory;
		this.#patienceMs = patienceMs;
	}

	async boot(): Promise<void> {
		for (const name of await namesIn(this.#directory))
			if (name.endsWith('.lock')) await endStorageDaemon(this.#files(name.slice(0, -5)), { politeMs: 0 });
		await rm(this.#directory, { recursive: true, force: true });
	}

	async connect(login: Login): Promise<RemoteDisk> {
		await mkdir(this.#directory, { recursive: true, mode: 0o700 });
		const files = this.#free();
		await writeFile(files.secret, login.chapSecret, { mode: 0o600 });
		const isUp = await startStorageDaemon(
			files,
			[
				'--object',
				`secret,id=chap,file=${files.secret}`,
				'--blockdev',
				lunOptions(login),
				'--nbd-server',
				`addr.type=unix,addr.path=${files.socket},max-connections=0`,
				'--export',
				'type=nbd,id=lun,node-name=lun,name=lun,writable=on',
				'--pidfile',
				files.pid,
			],
			// Written when all of the above is done; the socket is there before anybody listens on it.
			() => exists(files.pid),
		);
		await rm(files.secret);
		if (!isUp) throw refusal(login, await whatItSaid(files));
		const end = async () => {
			// It waits for what is under way, which a session that is lost keeps it from.
			await endStorageDaemon(files, { politeMs: 500 });
			for (const path of Object.values(files)) await rm(path, { force: true });
		};
		try {
			return await IscsiSession.open(files.socket, this.#patienceMs, end);
		} catch (error) {
			await end();
			throw error;
		}
	}

	#free(): SessionFiles {
		this.#sessions += 1;
		const files = this.#files(`${process.pid}-${this.#sessions}`);
		checkSocketPath(files.socket);
		return files;
	}

	#files(name: string): SessionFiles {
		const path = (end: string) => join(this.#directory, `${name}.${end}`);
		return {
			lockPath: path('lock'),
			logPath: path('log'),
			socket: path('sock'),
			secret: path('secret'),
			pid: path('pid'),
		};
	}
}

interface SessionFiles extends StorageDaemon {
	socket: string;
	secret: string;
	pid: string;
}

function lunOptions({ portal: { address, port }, iqn, chapUser }: Login): string {
	const portal = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
	const credentials = `user=${chapUser},password-secret=chap,initiator-name=iqn.1991-05.com.microsoft:simulated`;
	return `driver=iscsi,node-name=lun,transport=tcp,portal=${portal},target=${iqn},lun=1,${credentials}`;
}

function refusal({ iqn, portal }: Login, said: string): WindowsError {
	const what = `${iqn} at ${portal.address}:${portal.port}. ${said}`;
	const isRefused = /[Aa]uthenti|[Aa]uthori/.test(said);
	return breaks(isRefused ? 'loginFailed' : 'connectionFailed', 'Connect-IscsiTarget', what);
}
