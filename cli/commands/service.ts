import { hasSystemd, installService, removeService, unitName } from '../../keeper/systemd/service.ts';
import { RouseError } from '../../model/errors.ts';
import { homeDirectory, loadConfig, openInstallation, places } from '../../system/installation.ts';
import { mustBeWhollyJoined } from '../host/join-home.ts';
import { type Context, command } from '../terminal/command.ts';
import { whenReady } from './up.ts';

export const build = (context: Context) => {
	const service = command('service').description('services of this installation in the care of systemd');
	for (const verb of [install(context), remove(context)]) service.addCommand(verb);
	return service;
};

const install = (context: Context) =>
	command('install')
		.description('have systemd start the services now and at each boot, and again when they end; machines stay apart')
		.action(async () => {
			await mustHaveSystemd();
			const installation = await openInstallation(homeDirectory(context.env));
			await mustBeWhollyJoined(installation.home);
			const { signal, output } = context;
			const { unit, path, moved } = await installService(installation, { signal });
			if (moved !== null && moved.machines + moved.movers > 0)
				output.warn(
					`${moved.machines} machines and ${moved.movers} movers that run already stay in the session in which they were started`,
				);
			const { services } = await whenReady(installation, await loadConfig(installation), context);
			const said = `journalctl -u ${unit}, and ${places.services(installation.home)}`;
			output.result(
				{ unit, path, services },
				`${unit}: systemd keeps the services, and all are ready. What they say: ${said}`,
			);
		});

const remove = (context: Context) =>
	command('remove')
		.description('end the services and have systemd forget them; machines and movers keep running')
		.action(async () => {
			const installation = await openInstallation(homeDirectory(context.env));
			const unit = unitName(installation);
			const removed = (await hasSystemd()) && (await removeService(installation));
			const text = removed ? `${unit}: removed` : `${unit} is not there: systemd keeps nothing of this installation`;
			context.output.result({ unit, removed }, `${text}\nNext: rouse up --detach`);
		});

async function mustHaveSystemd(): Promise<void> {
	if (!(await hasSystemd()))
		throw new RouseError('tool_missing', 'this machine was not booted with systemd', {
			hint: 'rouse up --detach starts the services; whatever starts this machine is to say it at each boot',
		});
	if (process.getuid?.() === 0) return;
	throw new RouseError('access_denied', 'units of the system are written by root', {
		hint: "sudo -H rouse service install, with a home that is root's",
	});
}
