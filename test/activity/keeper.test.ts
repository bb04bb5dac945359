import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { takeDown } from '../../keeper/down.ts';
import { readDeaths } from '../../keeper/deaths.ts';
import { keepLogsBounded, keepService } from '../../keeper/keep.ts';
import { choosePorts } from '../../keeper/ports.ts';
import { lastWords } from '../../keeper/ready.ts';
import { endService, type Service, serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { exitCodeOf } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { places } from '../../system/installation.ts';
import { lockHolder, processStartTicks, signalHolder } from '../../system/process-lock.ts';
import { runTool } from '../../system/run-tool.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const sleeper: Service = {
	name: 'host-worker',
	program: async () => ({ command: 'sleep', args: ['600'] }),
	env: process.env,
};

/** In this order: what a keeper keeps is ended after it, or it would start it again. */
const toEnd: (() => Promise<unknown>)[] = [];

async function home(t: TestContext): Promise<string> {
	const directory = await temporaryDirectory(t, async path => {
		for (const end of toEnd.splice(0)) await end();
		await endHolder(serviceFiles(path, sleeper.name).lockPath);
	});
	await mkdir(places.services(directory), { recursive: true });
	return directory;
}

function keep(directory: string, service = sleeper) {
	const ended = new AbortController();
	const said: string[] = [];
	const log = pino({ base: null }, { write: line => void said.push(line) });
	const kept = keepService(service, directory, { signal: ended.signal, log, paceMs: 20 });
	const end = async () => {
		ended.abort();
		await kept;
	};
	toEnd.push(end);
	return { said, end };
}

const runs = (directory: string, not = 0) =>
	waitFor(
		'the service to run',
		async () => {
			const holder = await serviceHolder(directory, sleeper.name);
			return holder && holder.pid !== not ? holder.pid : undefined;
		},
		{ timeoutMs: 10_000 },
	);

/** Until a keeper has said it so many times. */
const says = ({ said }: { said: readonly string[] }, what: RegExp, times = 1) =>
	waitFor(`the keeper to say ${what}`, () => said.filter(line => what.test(line)).length >= times, {
		timeoutMs: 15_000,
	});

describe('the logs of services', () => {
	it('are bounded from the first moment on, and the keeper ends when told to', async t => {
		const directory = await home(t);
		const { logPath } = serviceFiles(directory, 'temporal');
		await writeFile(logPath, Buffer.alloc(9 * 1024 * 1024));
		const ended = new AbortController();
		const kept = keepLogsBounded(directory, { signal: ended.signal, log: pino({ level: 'silent' }) });
		await waitFor('an empty log', async () => (await stat(logPath)).size === 0, { timeoutMs: 10_000 });
		ended.abort();
		await kept;
	});
});

describe('a kept service', () => {
	it('is started again when it was killed', async t => {
		const directory = await home(t);
		keep(directory);
		const first = await runs(directory);
		await signalHolder(serviceFiles(directory, sleeper.name).lockPath, 'SIGKILL');
		assert.notEqual(await runs(directory, first), first);
	});

	it('whose death its keeper saw is in the record of deaths, and one that was ended with its keeper is not', async t => {
		const directory = await home(t);
		const keeper = keep(directory);
		await says(keeper, /host-worker started/);
		const first = await runs(directory);
		await signalHolder(serviceFiles(directory, sleeper.name).lockPath, 'SIGKILL');
		await says(keeper, /host-worker started/, 2);
		await keeper.end();
		await endHolder(serviceFiles(directory, sleeper.name).lockPath);
		keep(directory);
		await runs(directory);
		const deaths = await readDeaths(directory);
		assert.deepEqual(
			deaths.map(({ name, pid }) => [name, pid]),
			[['host-worker', first]],
		);
	});

	it('runs on when its keeper ends, and is adopted by the next', async t => {
		const directory = await home(t);
		const { end } = keep(directory);
		const pid = await runs(directory);
		await end();
		const next = keep(directory);
		await says(next, new RegExp(`host-worker \\(pid ${pid}\\) runs already`));
		await signalHolder(serviceFiles(directory, sleeper.name).lockPath, 'SIGKILL');
		await runs(directory, pid);
		// It did not start the one that ran.
		assert.match(next.said[1] ?? '', new RegExp(`host-worker \\(pid ${pid}\\) ended`));
	});

	it('that cannot start is tried again after a while, and the reason is told', async t => {
		const directory = await home(t);
		const program = async () => ({ command: 'sleep', args: ['600'], cwd: join(directory, 'nothing') });
		const keeper = keep(directory, { ...sleeper, program });
		await says(keeper, /could not be started: sleep ended at once \(spawn flock ENOENT\)/, 2);
	});

	it('whose program cannot be told is looked at again with pauses: a database is made on the way', async t => {
		const directory = await home(t);
		const looks: number[] = [];
		const program = async () => {
			looks.push(performance.now());
			throw new Error('no space');
		};
		const keeper = keep(directory, { ...sleeper, program });
		await waitFor('three looks', () => looks.length >= 3, { timeoutMs: 15_000 });
		const [first = 0, , third = 0] = looks;
		assert.ok(third - first > 2_900, `${third - first} ms`);
		await says(keeper, /cannot be started/);
	});
});

/** A process under this lock, as machines and movers are. */
async function hold(directory: string, name: string): Promise<string> {
	await mkdir(directory, { recursive: true });
	const lockPath = join(directory, `${name}.lock`);
	toEnd.push(() => endHolder(lockPath));
	await spawnLocked({ lockPath, logPath: join(directory, `${name}.log`), command: 'sleep', args: ['600'] });
	return lockPath;
}

describe('an installation that was removed', () => {
	it('has its services ended, none started beside them, and no directory made anew', async t => {
		const directory = await home(t);
		const keeper = keep(directory);
		await says(keeper, /host-worker started/);
		const pid = await runs(directory);
		await rm(directory, { recursive: true });
		await waitFor('the service to end', async () => (await processStartTicks(pid)) === undefined, {
			timeoutMs: 10_000,
		});
		await says(keeper, /was removed/);
		await keeper.end();
		await assert.rejects(stat(directory), { code: 'ENOENT' });
	});
});

describe('rouse down', () => {
	it('ends the keeper and the services, and counts the machines and movers that go on', async t => {
		const directory = await home(t);
		const recovery = join(places.recoveries(directory), 'web01-r1');
		await mkdir(recovery, { recursive: true });
		for (const name of ['machine', 'mount-mover']) await hold(recovery, name);
		await hold(places.repositoryMovers(directory), '0123abcd');
		for (const name of ['keeper', 'host-worker'] as const)
			await spawnLocked({ ...serviceFiles(directory, name), command: 'sleep', args: ['600'] });
		const result = await takeDown(directory, () => {});
		assert.deepEqual(result, { stopped: ['host-worker'], machines: 1, movers: 2 });
		assert.equal(await serviceHolder(directory, 'keeper'), undefined);
	});

	it('has ended PostgreSQL when its last child has ended, which may be writing still', async t => {
		const directory = await home(t);
		const { lockPath, logPath } = serviceFiles(directory, 'postgres');
		const withChild = ['-c', 'sleep 2 & echo there; exec sleep 600'];
		await spawnLocked({ lockPath, logPath, command: 'sh', args: withChild });
		await waitFor('the child', async () => (await readFile(logPath, 'utf8')) === 'there\n', { timeoutMs: 5_000 });
		assert.equal(await endService(directory, 'postgres', 2_000), true);
		const { code } = await runTool('flock', ['-n', lockPath, 'true'], { hint: '' });
		assert.equal(code, 0);
	});

	it('ends the repository movers that no mover of a recovery uses, for their supervisor is gone', async t => {
		const directory = await home(t);
		const finished = join(places.recoveries(directory), 'web01-r1');
		await hold(finished, 'machine');
		const lockPath = await hold(places.repositoryMovers(directory), '0123abcd');
		assert.deepEqual(await takeDown(directory, () => {}), { stopped: [], machines: 1, movers: 0 });
		assert.equal(await lockHolder(lockPath), undefined);
	});
});

describe('the ports of an embedded server', () => {
	it('stay the same while they are free', async t => {
		const directory = await temporaryDirectory(t);
		assert.deepEqual(await choosePorts(directory, {}), await choosePorts(directory, {}));
	});

	it('are chosen anew when somebody else took them', async t => {
		const directory = await temporaryDirectory(t);
		const { temporal } = await choosePorts(directory, {});
		const other = createServer().listen(temporal, '127.0.0.1');
		t.after(() => other.close());
		const again = await choosePorts(directory, {});
		assert.notEqual(again.temporal, temporal);
		assert.deepEqual(JSON.parse(await readFile(join(places.temporal(directory), 'ports.json'), 'utf8')), again);
	});

	it('that are configured and taken are refused by number', async t => {
		const directory = await temporaryDirectory(t);
		const { temporal } = await choosePorts(directory, {});
		const other = createServer().listen(temporal, '127.0.0.1');
		t.after(() => other.close());
		await assert.rejects(choosePorts(directory, { temporal }), {
			code: 'precheck_failed',
			message: new RegExp(`port ${temporal} `),
		});
	});
});

describe('`lastWords`', () => {
	it('tells why a keeper could not keep the services, from the last line of its log', async t => {
		const directory = await temporaryDirectory(t);
		await writeFile(join(directory, 'config.yaml'), 'nonsense: 1\n');
		const main = join(checkoutDirectory, 'keeper', 'main.ts');
		const { code, stderr } = await runTool(process.execPath, [main, directory], { hint: '', silenceMs: 60_000 });
		assert.equal(code, exitCodeOf('config_invalid'));
		assert.match(lastWords(stderr.trimEnd().split('\n').at(-1) ?? '') ?? '', /config\.yaml:1:1: nonsense/);
	});

	it('is undefined for a line of another level, one that was cut off, and no line', () => {
		for (const line of ['{"level":"warn","msg":"no"}', '{"level":"fatal","ms', ''])
			assert.equal(lastWords(line), undefined);
	});
});
