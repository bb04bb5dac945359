import { hostname } from 'node:os';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { homeDirectory, loadConfig, openInstallation, places } from '../../system/installation.ts';
import { readTemporalTarget } from '../../system/temporal-target.ts';
import { waitFor } from '../../system/wait.ts';
import { type Context, command } from '../terminal/command.ts';
import { parsePort } from '../terminal/parse.ts';
import { serveUi, type UiOptions } from '../ui/server.ts';

export const build = (context: Context) =>
	command('ui')
		.description("Temporal's web interface for one browser, until Ctrl-C; only --write lets it change anything")
		.option('--write', 'things can be changed: who ends a workflow there leaves its machine to nobody')
		.option('--port <port>', 'port on 127.0.0.1 (default: ports.ui of config.yaml, else a free one)', parsePort)
		.action(async ({ write = false, port }) => {
			const installation = await openInstallation(homeDirectory(context.env));
			const config = await loadConfig(installation);
			if (config.temporal.address !== undefined)
				throw new RouseError('precheck_failed', `the server at ${config.temporal.address} has an interface of its own`);
			const { namespace } = await readTemporalTarget(installation, config);
			const socket = places.temporalUiSocket(installation.runDirectory);
			const start = `/namespaces/${namespace}/workflows`;
			const served = await serve({ socket, port: port ?? config.ports.ui ?? 0, start, write });
			const address = `http://127.0.0.1:${served.port}/?token=${served.token}`;
			context.output.result({ address, write, port: served.port }, uiText(address, served.port, write));
			try {
				await waitFor('Ctrl-C', async () => false, {
					timeoutMs: Number.POSITIVE_INFINITY,
					everyMs: 60_000,
					signal: context.signal,
				});
			} catch (error) {
				if (!context.signal.aborted) throw error;
			} finally {
				await served.close();
			}
		});

async function serve(options: UiOptions): ReturnType<typeof serveUi> {
	try {
		return await serveUi(options);
	} catch (cause) {
		if (!isErrno(cause, 'EADDRINUSE') && !isErrno(cause, 'EACCES')) throw cause;
		throw new RouseError('precheck_failed', `port ${options.port} cannot be had`, {
			cause,
			hint: 'choose another: --port',
		});
	}
}

function uiText(address: string, port: number, write: boolean): string {
	return [
		`open in one browser, once:  ${address}`,
		`from another machine first:  ssh -L ${port}:127.0.0.1:${port} ${hostname()}`,
		write
			? 'things can be changed there; Ctrl-C ends it'
			: 'nothing can be changed there (--write lets you); Ctrl-C ends it',
	].join('\n');
}
