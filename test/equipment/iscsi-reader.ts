import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { waitFor } from '../../system/wait.ts';

export interface IscsiReader {
	/** Begins a read that may take as long as it likes. */
	begin: (offsetBytes: number) => Promise<void>;
	/** Reads 4 KiB, and gives how long that took; throws what QEMU says when it failed. */
	read: (offsetBytes: number) => Promise<number>;
}

const prompt = 'qemu-io> ';

/** QEMU's own initiator, in one session: what it has begun and what it reads share that. */
export async function iscsiReader(
	t: Pick<TestContext, 'after'>,
	{ portal, iqn, lun, secret }: { portal: string; iqn: string; lun: number; secret: string },
): Promise<IscsiReader> {
	const where = `driver=iscsi,transport=tcp,portal=${portal},target=${iqn},lun=${lun},user=rouse,password-secret=chap`;
	const child = spawn('qemu-io', ['-r', '--object', `secret,id=chap,data=${secret}`, '--image-opts', where]);
	t.after(() => child.kill('SIGKILL'));
	let said = '';
	child.stdout.on('data', text => (said += text));
	child.stderr.on('data', text => (said += text));
	// It takes a line only when input comes, so each is sent after the prompt for it.
	const tell = async (line: string, timeoutMs: number, ended: RegExp): Promise<string> => {
		said = '';
		child.stdin.write(`${line}\n`);
		await waitFor(line, () => ended.test(said) && said.endsWith(prompt), { timeoutMs, everyMs: 2 });
		return said;
	};
	await waitFor('a session', () => said.endsWith(prompt), { timeoutMs: 120_000 });
	return {
		begin: async offsetBytes => {
			await tell(`aio_read -q ${offsetBytes} 4096`, 60_000, /qemu-io> $/);
		},
		read: async offsetBytes => {
			const beganMs = performance.now();
			const answer = await tell(`read ${offsetBytes} 4096`, 300_000, /ops\/sec|failed/);
			if (/failed/.test(answer)) throw new Error(answer);
			return performance.now() - beganMs;
		},
	};
}
