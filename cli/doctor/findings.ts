/** What is wrong with an installation, out of what was seen of it. Pure. */
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';
import { brokerFindings } from './findings-broker.ts';
import { clockFindings } from './findings-clock.ts';
import { hostFindings } from './findings-host.ts';
import { processFindings } from './findings-processes.ts';
import { waitingFindings } from './findings-waiting.ts';
import { sourceFindings } from './findings-sources.ts';
import { workflowFindings } from './findings-workflows.ts';

export function findingsOf(facts: Facts): Finding[] {
	return [
		...waitingFindings(facts),
		...hostFindings(facts),
		...processFindings(facts),
		...workflowFindings(facts),
		...brokerFindings(facts),
		...clockFindings(facts),
		...sourceFindings(facts),
	];
}
