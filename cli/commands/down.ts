import { type DownResult, takeDown } from '../../keeper/down.ts';
import { whileUpOrDown } from '../../keeper/start.ts';
import { installedUnit } from '../../keeper/systemd/service.ts';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = ({ env, output, signal }: Context) =>
	command('down')
		.description('end the services of this installation; machines and movers keep running')
		.action(async () => {
			const installation = await openInstallation(homeDirectory(env));
			const { home } = installation;
			const result = await whileUpOrDown(home, () => takeDown(home, message => output.message(message)), signal);
			const unit = await installedUnit(installation);
			output.result(result, downText(result, unit === undefined ? undefined : `systemctl start ${unit}`));
		});

/** `start`: what brings them up again. */
export function downText({ stopped, machines, movers }: DownResult, start = 'rouse up --detach'): string {
	const what = stopped.length > 0 ? 'down' : 'nothing was up';
	if (machines + movers === 0) return `${what}; no machine and no mover runs`;
	return `${what}; ${count(machines, 'machine')} and ${count(movers, 'mover')} keep running without the services\nNext: ${start}`;
}

function count(n: number, what: string): string {
	return `${n === 0 ? 'no' : n} ${what}${n === 1 ? '' : 's'}`;
}
