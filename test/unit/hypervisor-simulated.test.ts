import { suite, test } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { processSwitchPlaces } from '../../hypervisors/simulated/switch-process.ts';
import { serviceSwitchPlaces } from '../../hypervisors/simulated/switch-service.ts';
import { makeSimulatedBench } from '../equipment/simulated-bench.ts';

const manners = { process: processSwitchPlaces, service: serviceSwitchPlaces } as const;

for (const like of ['process', 'service'] as const)
	suite(`a simulated platform like a ${like} keeps the contract`, { concurrency: 4 }, () => {
		const places = [...manners[like], 'mark.local', 'mark.target'];
		for (const { name, run } of conformance(() => makeSimulatedBench({ like }), { places })) test(name, run);
	});
