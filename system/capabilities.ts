/** Powers of root, by their numbers in include/uapi/linux/capability.h; containers take some of them. */
export const capability = { netAdmin: 12, sysPtrace: 19 } as const;

/** `status`: of a process, as proc_pid_status(5) has it. */
export function hasCapability(status: string, number: number): boolean {
	const effective = /^CapEff:\s*([\da-f]+)$/m.exec(status)?.[1] ?? '0';
	return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n;
}
