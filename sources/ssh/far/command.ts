/** What a session is started with. */

/** Whoever logs in becomes root by sudo, without a password; what is run is a script of sh, in no language, and finds the system's programs. */
const asRoot =
	'if [ "$(id -u)" = 0 ]; then exec "$@"; fi; sudo -n -- sh -c : </dev/null >/dev/null || exit 254; exec sudo -n -- "$@"';
/** What it ends with where that is not allowed: sudo says it in many languages, and also says what does no harm. */
export const noRootExit = 254;
const surroundings =
	'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH; LC_ALL=C; export LC_ALL; LVM_SUPPRESS_FD_WARNINGS=1; export LVM_SUPPRESS_FD_WARNINGS; umask 077';

/** For the shell that sshd starts, which may be any that takes quotes as sh does. */
export function remoteCommand(script: string, args: readonly string[]): string {
	return ['sh', '-c', asRoot, 'rouse', 'sh', '-c', `${surroundings}\n${script}`, 'rouse', ...args]
		.map(quoted)
		.join(' ');
}

function quoted(word: string): string {
	return `'${word.replaceAll("'", "'\\''")}'`;
}
