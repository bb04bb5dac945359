/**
 * Called first by every program of ours: what it makes, and what the programs that it starts make, is the user's alone,
 * whatever the shell or service manager that started it had. A mode that is said in a call counts as well.
 */
export function setPrivateUmask(): void {
	process.umask(0o077);
}
