import type { Machine } from '../../hypervisors/contract.ts';
import { makeSimulatedBench, type SimulatedBench, type SimulatedBenchOptions } from './simulated-bench.ts';
import { RecordingGate } from './recording-gate.ts';

export interface Simulation {
	bench: SimulatedBench;
	machine: Machine;
	gate: RecordingGate;
}

/** A simulated machine that runs from the mover; gone with the test. */
export async function startedSimulation(
	t: { after(hook: () => Promise<unknown>): void },
	options: SimulatedBenchOptions = {},
): Promise<Simulation> {
	const bench = await makeSimulatedBench(options);
	t.after(() => bench.dispose());
	const gate = new RecordingGate(bench.mover);
	const machine = bench.platform.machine(bench.definition, gate);
	await bench.mover.start();
	await machine.makeTargets();
	await machine.create();
	await machine.presentBase();
	await machine.snapshot();
	await machine.powerOn('mover');
	gate.calls.length = 0;
	return { bench, machine, gate };
}
