import assert from 'node:assert/strict';
import { glob, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as z from 'zod';
import { takeDown } from '../../keeper/down.ts';
import { orderSchema } from '../../model/next.ts';
import { phaseSchema, parkedSchema, powerSchema } from '../../model/recovery.ts';
import { type Installation, openInstallation } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { type Ended, rouse } from './command-line.ts';
import { QemuGuest } from './qemu-guest.ts';

/** What `recover show --json` may be relied upon for. */
export const shownSchema = z.looseObject({
	name: z.string(),
	recoveryId: z.uuid(),
	machine: z.string(),
	restorePoint: z.string(),
	/** Empty: over a pool, before it has its place. */
	host: z
		.string()
		.nullable()
		.transform(host => host ?? ''),
	phase: phaseSchema,
	parked: parkedSchema.extend({ order: orderSchema, next: z.string() }).nullable(),
	/** Null: its host is another machine, and a workflow that has ended tells nothing of it. */
	power: powerSchema.nullable(),
	disks: z.array(z.strictObject({ sizeBytes: z.int(), restoredBytes: z.int(), path: z.string() })),
	asOf: z.iso.datetime(),
	timings: z.looseObject({ requestedAt: z.iso.datetime() }),
	incidents: z.array(z.looseObject({ kind: z.string(), message: z.string() })),
	consoleSocket: z.string().nullable(),
	qmpSocket: z.string().nullable(),
	directory: z.string().nullable(),
	next: z.string(),
});
export type Shown = z.output<typeof shownSchema>;

const errorSchema = z.looseObject({
	type: z.literal('error'),
	code: z.string(),
	message: z.string(),
	exitCode: z.int(),
});

/** A whole embedded installation, as `rouse up` makes it, used by its commands; all of it goes with the test. */
export class EmbeddedInstallation {
	readonly installation: Installation;
	readonly repository: string;

	private constructor(installation: Installation, repository: string) {
		this.installation = installation;
		this.repository = repository;
	}

	/** With a repository that its configuration names, and with the services up; `more`: what `up` is told. */
	static async up(
		t: Pick<TestContext, 'after'>,
		config = '',
		directoryFor = (prefix: string) => mkdtemp(join(tmpdir(), prefix)),
		...more: string[]
	): Promise<EmbeddedInstallation> {
		const directory = await directoryFor('rouse-embedded-');
		const repository = join(directory, 'repository');
		const here = new EmbeddedInstallation(await openInstallation(join(directory, 'home')), repository);
		// One hook for processes and directory: the locks that tell of the processes lie in the directory.
		t.after(async () => {
			await endInstallation(here.installation);
			await rm(directory, { recursive: true, force: true });
		});
		await here.answer('repo', 'init', repository, '--name', 'main');
		const text = `repositories: {main: ${JSON.stringify(repository)}}\ndefaultRepository: main\n${config}`;
		await writeFile(join(here.installation.home, 'config.yaml'), text);
		await here.answer('up', '--detach', ...more);
		return here;
	}

	/** Of a home that is there, brought up; its directory stays to whoever made it. */
	static async over(t: Pick<TestContext, 'after'>, installation: Installation): Promise<EmbeddedInstallation> {
		const here = new EmbeddedInstallation(installation, '');
		t.after(() => endInstallation(installation));
		await here.answer('up', '--detach');
		return here;
	}

	run(...args: string[]): Promise<Ended> {
		return rouse(this.installation.home, [...args, '--json']);
	}

	/** The document that a command answers with; for long work the last one. */
	async answer(...args: string[]): Promise<unknown> {
		const { exitCode, stdout, stderr } = await this.run(...args);
		assert.equal(exitCode, 0, `rouse ${args.join(' ')}: ${stderr}${stdout}`);
		return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
	}

	/** The error that a command ends with. */
	async refusal(...args: string[]): Promise<{ code: string; message: string; exitCode: number }> {
		const { exitCode, stdout, stderr } = await this.run(...args);
		const error = errorSchema.parse(JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? ''));
		assert.equal(exitCode, error.exitCode);
		assert.equal(stdout, '', 'a command that fails says nothing on standard output');
		return error;
	}

	async show(name: string): Promise<Shown> {
		return shownSchema.parse(await this.answer('recover', 'show', name));
	}

	async shown(name: string, what: string, is: (shown: Shown) => boolean, timeoutMs = 90_000): Promise<Shown> {
		const look = async () => {
			const shown = await this.show(name);
			return is(shown) ? shown : undefined;
		};
		return waitFor(`${name} to be ${what}`, look, { timeoutMs, everyMs: 100 });
	}

	/** Does the guest's reads and writes, on a machine without an operating system. */
	guest({ directory, qmpSocket }: Shown): QemuGuest {
		assert.ok(directory && qmpSocket);
		return new QemuGuest({ log: join(directory, 'machine.log'), sockets: { qmp: qmpSocket } });
	}
}

/** Services, machines and movers; before its directory goes, in which their locks are. */
export async function endInstallation({ home, runDirectory }: Installation): Promise<void> {
	await takeDown(home, () => {});
	for await (const lock of glob('**/*.lock', { cwd: home })) {
		const path = join(home, lock);
		if (await lockHolder(path)) await endHolder(path);
	}
	await rm(runDirectory, { recursive: true, force: true });
}
