/** The unit by which systemd keeps the services of an installation. */
import { dirname } from 'node:path';
import { scopesBefore } from '../../system/own-scope.ts';

export interface UnitParts {
	/** Of the unit itself, with `.service`. */
	name: string;
	home: string;
	/** What `XDG_CACHE_HOME` names. */
	cacheHome: string;
	/** Node, and the command line that it runs. */
	node: string;
	main: string;
}

/** As `systemd.service(5)`, `systemd.exec(5)` and `systemd.kill(5)` have it; for systemd 247 (Debian 11) and newer. */
export function unitText({ name, home, cacheHome, node, main }: UnitParts): string {
	const environment = {
		ROUSE_HOME: home,
		XDG_CACHE_HOME: cacheHome,
		PATH: `${dirname(node)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
		[scopesBefore]: name,
	};
	return `${[
		'# Written by rouse service install; rouse service remove takes it away.',
		'[Unit]',
		`Description=Rouse: services of ${quoted(home)}`,
		'Wants=network-online.target',
		'After=network-online.target remote-fs.target',
		`RequiresMountsFor=${[home, dirname(main), dirname(node), cacheHome].map(quoted).join(' ')}`,
		'# However often it ends: it is tried again.',
		'StartLimitIntervalSec=0',
		'',
		'[Service]',
		'Type=exec',
		`ExecStart=${[node, main, 'up', '--attend'].map(word => quoted(word.replaceAll('$', '$$$$'))).join(' ')}`,
		...Object.entries(environment).map(([variable, value]) => `Environment=${quoted(`${variable}=${value}`)}`),
		'Restart=always',
		'RestartSec=2',
		'# `rouse down`, after which a person wants it down.',
		'RestartPreventExitStatus=0',
		'# The process that is asked to end takes the services down; machines and movers go on, in scopes of their own.',
		'KillMode=process',
		'SuccessExitStatus=143',
		'TimeoutStopSec=120',
		'# The kernel ends one process, not all of them with it; and these, with their machines, late.',
		'OOMPolicy=continue',
		'OOMScoreAdjust=-500',
		'LimitNOFILE=65536',
		'TasksMax=infinity',
		'UMask=0077',
		'# Machines and movers inherit what is said here, so there is nothing in it that QEMU, a volume or a cage of a tool',
		'# cannot live with: no mounts of its own, no filter of devices, of addresses or of writable code.',
		'NoNewPrivileges=yes',
		'LockPersonality=yes',
		'RestrictSUIDSGID=yes',
		'SystemCallArchitectures=native',
		'KeyringMode=private',
		'',
		'[Install]',
		'WantedBy=multi-user.target',
	].join('\n')}\n`;
}

/** `systemd.syntax(7)`: quotes with escapes as in C, and a percent sign that begins a specifier. */
function quoted(word: string): string {
	return JSON.stringify(word).replaceAll('%', '%%');
}
