import { open } from 'node:fs/promises';
import * as z from 'zod';
import type { BenchGuest, GuestWrite } from '../../hypervisors/conformance.ts';
import { queryDiskUse, queryStatus } from '../../hypervisors/qemu/monitor-queries.ts';
import type { MachinePaths } from '../../hypervisors/qemu/paths.ts';
import { QmpClient, query } from '../../qmp/client.ts';
import { waitFor } from '../../system/wait.ts';

/** Where QEMU prints, and the user's monitor. */
type GuestPaths = { log: MachinePaths['log']; sockets: Pick<MachinePaths['sockets'], 'qmp'> };

/** Acts as the guest of a machine without an operating system, through the user's monitor. */
export class QemuGuest implements BenchGuest {
	readonly #paths: GuestPaths;
	#qmp: QmpClient | undefined;

	constructor(paths: GuestPaths) {
		this.#paths = paths;
	}

	async write(disk: number, { offsetBytes, lengthBytes, pattern }: GuestWrite): Promise<boolean> {
		if (!(await this.runs())) return false;
		const how = pattern === 0 ? '-z -u' : `-P ${pattern}`;
		const said = await this.io(disk, `write ${how} ${offsetBytes} ${lengthBytes}`);
		if (!said.includes(`wrote ${lengthBytes}/${lengthBytes} bytes`)) throw new Error(`guest write: ${said}`);
		await this.io(disk, 'flush', /^/);
		return true;
	}

	async reads(disk: number, { offsetBytes, lengthBytes, pattern }: GuestWrite): Promise<boolean> {
		if (!(await this.runs())) throw new Error('the guest does not run');
		const said = await this.io(disk, `read -P ${pattern} ${offsetBytes} ${lengthBytes}`);
		return said.includes(`read ${lengthBytes}/${lengthBytes} bytes`) && !said.includes('verification failed');
	}

	/** Writes SLP_TYP 0 and SLP_EN to PM1_CNT, as an operating system does; it lies where SeaBIOS put it on q35. */
	async powersOff(): Promise<void> {
		await waitFor(
			'the guest to power itself off',
			async () => {
				const qmp = await this.#monitor();
				await qmp.execute('human-monitor-command', { 'command-line': 'o /w 0x604 0x2000' });
				return (await queryStatus(qmp)).status === 'shutdown';
			},
			{ timeoutMs: 20_000, everyMs: 50 },
		);
	}

	async runs(): Promise<boolean> {
		try {
			return (await queryStatus(await this.#monitor())).running;
		} catch {
			return false; // nobody listens, or it ended while it was asked
		}
	}

	/** Until its firmware has looked for something to start. */
	async hasReadFromDisk(): Promise<void> {
		const read = async () => [...(await queryDiskUse(await this.#monitor())).values()].some(({ reads }) => reads > 0);
		await waitFor('the firmware to read from a disk', read, { timeoutMs: 20_000, everyMs: 20 });
	}

	/** Runs a qemu-io command on the guest's disk. What it prints goes to QEMU's standard output: the machine's log. */
	async io(disk: number, command: string, until = /ops;|failed/): Promise<string> {
		const qmp = await this.#monitor();
		const log = await open(this.#paths.log, 'r');
		try {
			const { size: before } = await log.stat();
			const device = await this.#backend(qmp, disk);
			const line = { 'command-line': `qemu-io -d ${device} "${command}"` };
			// A write that the switch holds up for good, as only a wrong one does, holds up QEMU with it.
			await query(qmp, 'human-monitor-command', z.string(), line, { timeoutMs: 5_000 });
			return await waitFor(
				`the answer to ${command}`,
				async () => {
					const { size } = await log.stat();
					const { buffer, bytesRead } = await log.read(Buffer.alloc(size - before), 0, size - before, before);
					const said = buffer.toString('utf8', 0, bytesRead);
					return until.test(said) && { said };
				},
				{ timeoutMs: 10_000, everyMs: 2 },
			).then(({ said }) => said);
		} finally {
			await log.close();
		}
	}

	async execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
		return (await this.#monitor()).execute(command, args);
	}

	close(): void {
		this.#qmp?.close();
		this.#qmp = undefined;
	}

	/** The path must be the backend of a virtio disk: the proxy device has none. */
	async #backend(qmp: QmpClient, disk: number): Promise<string> {
		const list = z.array(z.object({ name: z.string() }));
		const path = `/machine/peripheral/vd${disk}`;
		const children = await query(qmp, 'qom-list', list, { path });
		return children.some(({ name }) => name === 'virtio-backend') ? `${path}/virtio-backend` : path;
	}

	async #monitor(): Promise<QmpClient> {
		if (!this.#qmp || this.#qmp.closed)
			this.#qmp = await QmpClient.connect(this.#paths.sockets.qmp, { timeoutMs: 5_000 });
		return this.#qmp;
	}
}
