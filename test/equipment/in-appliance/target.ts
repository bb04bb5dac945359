/**
 * Runs in the appliance, started by its kernel's command line: a target over an NBD server that is a process of its own, half
 * of whose disk is held until it is released. Told what to do over HTTP; says on the console when it is ready.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { targetPaths } from '../../../hypervisors/hyperv/iscsi/definition.ts';
import { startTarget, stopTarget, targetRuns } from '../../../hypervisors/hyperv/iscsi/target.ts';
import { namesIn } from '../../../system/names-in.ts';
import { signalHolder } from '../../../system/process-lock.ts';

const directory = '/var/lib/rouse/target';
const target = {
	directory,
	iqn: 'iqn.2026-11.example.rouse:web01-r1',
	address: '10.0.2.15',
	port: 3260,
	chapSecret: 'abcdefgh23456789',
	serial: '0b9c3f526f0d4a538f0e5a0d6e4b1c2d',
	nbdSocket: '/run/held.sock',
	exportName: 'volume',
};

let server: ChildProcess | undefined;

async function startServer(): Promise<void> {
	server = spawn(process.execPath, [join(import.meta.dirname, 'held-nbd.ts'), target.nbdSocket], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	if (server.stdout !== null) await once(server.stdout, 'data');
}

async function ofServer(what: string): Promise<string> {
	return await (await fetch(`http://127.0.0.1:3301/${what}`)).text();
}

const orders: Readonly<Record<string, () => Promise<string>>> = {
	start: async () => {
		await startTarget(target);
		return 'started';
	},
	runs: async () => String(await targetRuns(target)),
	held: () => ofServer('held'),
	release: () => ofServer('release'),
	kill: async () => {
		server?.kill('SIGKILL');
		return 'killed';
	},
	serve: async () => {
		await startServer();
		return 'serving';
	},
	// Whoever brings new connections.
	orphan: async () => {
		await signalHolder(targetPaths(target).storageLock, 'SIGKILL');
		return 'orphaned';
	},
	stop: async () => {
		await stopTarget({ directory });
		const places = ['iscsi', 'core/iblock_0'].map(name => namesIn(join('/sys/kernel/config/target', name)));
		return JSON.stringify((await Promise.all(places)).flat().filter(name => /^(iqn|rouse)/.test(name)));
	},
};

await mkdir(directory, { recursive: true, mode: 0o700 });
await startServer();
createServer((request, answer) => {
	const order = orders[(request.url ?? '').slice(1)] ?? (() => Promise.reject(new Error('no such order')));
	order().then(
		text => answer.end(text),
		(error: unknown) => answer.writeHead(500).end(String(error)),
	);
}).listen(3300, () => console.log('in-appliance ready'));
