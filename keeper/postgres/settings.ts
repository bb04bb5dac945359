/** What PostgreSQL is told. All of it stands on the command line and so counts at every start, whatever its files say. */
import type { Program } from '../../system/spawn-locked.ts';
import type { PostgresPrograms } from './programs.ts';
import type { PostgresPlaces } from './room.ts';

/** Whose both databases are: of Temporal's server, which is no superuser in them. */
export const databaseUser = 'temporal';
export const databases = { default: 'temporal', visibility: 'temporal_visibility' } as const;

const settings = {
	// No port at all: one socket, in a directory that its user and root alone may enter.
	listen_addresses: '',
	port: '5432',
	unix_socket_permissions: '0700',
	// What Temporal was told is there after a power loss.
	fsync: 'on',
	full_page_writes: 'on',
	synchronous_commit: 'on',
	// Temporal's four services have up to 20 connections each, to both databases.
	max_connections: '200',
	ssl: 'off',
	log_destination: 'stderr',
	logging_collector: 'off',
	log_checkpoints: 'off',
	log_line_prefix: '%m [%p] ',
	log_timezone: 'UTC',
} as const;

/** Beside the socket of that port: src/backend/libpq/pqcomm.c and src/include/libpq/pqcomm.h of its sources. */
export const socketPidfile = `.s.PGSQL.${settings.port}.lock`;

export function postgresProgram({ postgres }: PostgresPrograms, { data, sockets }: PostgresPlaces): Program {
	const all = {
		...settings,
		unix_socket_directories: sockets,
		hba_file: `${data}/pg_hba.conf`,
		ident_file: `${data}/pg_ident.conf`,
	};
	const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
	return { command: postgres, args: ['-D', data, ...args] };
}

/** What the environment of who starts Rouse has is not for a program of another user; /proc/PID/environ shows it to its like. */
export function databaseEnvironment({ PATH }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	return { PATH };
}

/** `template`: the files of all databases are checked, and texts are compared byte by byte, as with the embedded database. */
export function initdbProgram({ initdb }: PostgresPrograms, { data }: PostgresPlaces): Program {
	const files = ['-D', data, '--data-checksums', '--encoding=UTF8', '--locale=C'];
	return { command: initdb, args: [...files, '--username=postgres', '--auth=reject', '--no-instructions'] };
}

/** Nobody can log in as its superuser: what only that one may do is done here, once, without a server. */
export function firstStatements({ postgres }: PostgresPrograms, { data }: PostgresPlaces): Program {
	const statements = [
		`CREATE ROLE ${databaseUser} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE`,
		...Object.values(databases).map(name => `CREATE DATABASE ${name} OWNER ${databaseUser}`),
	];
	const alone = `printf '%s\\n' "$1" | "$2" --single -D "$3" -c fsync=on -c exit_on_error=on postgres`;
	return { command: 'sh', args: ['-c', alone, 'sh', statements.join('\n'), postgres, data] };
}

/** https://www.postgresql.org/docs/current/auth-pg-hba-conf.html: what no line names is refused. `peer`: as the kernel says. */
export const hbaFile = `local ${Object.values(databases).join(',')} ${databaseUser} peer map=rouse\n`;

/** The one user of the system that may be Temporal's: who runs Rouse. */
export function identFile(user: string): string {
	return `rouse "${user.replaceAll('"', '""')}" ${databaseUser}\n`;
}
