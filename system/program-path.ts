/** PATH with where Debian has programs that change a system: only root's own leads there. */
export function programPath(): string {
	return `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
}
