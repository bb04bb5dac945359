/** What figures are worth nothing without: the machine, and the programs that were measured. */
import { cpus, release, totalmem } from 'node:os';
import type { BenchMachine } from '../../model/bench.ts';

/** `peers`: their versions, as they were found. */
export function machineOf(peers: Readonly<Record<string, string>>): BenchMachine {
	const processors = cpus();
	return {
		processor: processors[0]?.model.trim() ?? '',
		cores: processors.length,
		memoryBytes: totalmem(),
		kernel: release(),
		node: process.versions.node,
		peers,
	};
}
