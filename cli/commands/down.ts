import { type DownResult, takeDown } from '../../keeper/down.ts';
import { whileUpOrDown } from '../../keeper/start.ts';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = ({ env, output, signal }: Context) =>
	command('down')
		.description('end the services of this installation; machines and movers keep running')
		.action(async () => {
			const { home } = await openInstallation(homeDirectory(env));
			const result = await whileUpOrDown(home, () => takeDown(home, message => output.message(message)), signal);
			output.result(result, downText(result));
		});

export function downText({ stopped, machines, movers }: DownResult): string {
	const what = stopped.length > 0 ? 'down' : 'nothing was up';
	if (machines + movers === 0) return `${what}; no machine and no mover runs`;
	return `${what}; ${count(machines, 'machine')} and ${count(movers, 'mover')} keep running without the services\nNext: rouse up --detach`;
}

function count(n: number, what: string): string {
	return `${n === 0 ? 'no' : n} ${what}${n === 1 ? '' : 's'}`;
}
