/** The site that is brought back: one machine that runs, twelve that are files, in three groups. */

/** The one with a guest. */
export const realMachine = 'db01';

export const hostNames = { real: 'qemu1', simulated: 'sim1' } as const;
/** Fewer than there are machines, so that some have to wait for others. */
export const simulatedPlaces = 4;

/** In the order in which they come back. */
export const siteGroups: readonly { name: string; machines: readonly string[] }[] = [
	{ name: 'databases', machines: numbered('db', 3) },
	{ name: 'applications', machines: numbered('app', 7) },
	{ name: 'web', machines: numbered('web', 3) },
];

export const simulatedMachines = siteGroups.flatMap(({ machines }) => machines.filter(name => name !== realMachine));

/** Of its group the last one by name, and by its priority the first. */
export const urgentMachine = 'app07';

export const checkName = 'console-answers';

/** For `rouse batch start`. Copies are slow enough that a host is full for a while. */
export const siteFile = `name: site
reason: demo
defaults: { hosts: [${hostNames.simulated}], finish: migrate, maxRate: 2MiB }
groups:
  - name: databases
    machines:
      # Applications wait until its guest answers on its console.
      - { machine: ${realMachine}, hosts: [${hostNames.real}], finish: manual, ready: { command: ${checkName}, within: 5m } }
      - db*
  - name: applications
    after: [databases]
    machines:
      - { machine: ${urgentMachine}, priority: 1 }
      - app*
  - name: web
    after: [applications]
    machines: [web*]
`;

function numbered(name: string, count: number): string[] {
	return Array.from({ length: count }, (_, index) => `${name}${String(index + 1).padStart(2, '0')}`);
}
