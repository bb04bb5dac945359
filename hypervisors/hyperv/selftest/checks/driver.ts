import type { Check } from '../check.ts';
import type { Trial } from '../trial.ts';

/** A plan waits no longer for its host. */
const reportMs = 20_000;

/** The driver itself: PowerShell over SSH. */
export const driverChecks = (cmdlets: Readonly<Record<string, string[]>>): Check<Trial>[] => [
	{
		name: 'driver-answers',
		why: 'the driver is text that arrives over standard input, for PowerShell 5.1; a login by key may have less than all powers',
		expected: 'Windows PowerShell 5.1 answers, as an administrator with all powers',
		run: async ({ settings }) => {
			const [hello, firstMs] = await timed(() => settings.driver.ask('hello', {}));
			const [again, secondMs] = await timed(() => settings.driver.ask('hello', {}));
			const { powerShell, windows, elevated } = hello;
			const powers = elevated ? 'all powers' : 'not all powers';
			return {
				asExpected: /^5\.1(\.|$)/.test(powerShell) && elevated && again.bootId === hello.bootId,
				seen: `PowerShell ${powerShell} on Windows ${windows}, ${powers}; the first answer came after ${firstMs} ms, the second after ${secondMs} ms`,
				facts: { ...hello, firstMs, secondMs, bootIdStays: again.bootId === hello.bootId },
			};
		},
	},
	{
		name: 'driver-modules',
		why: 'PowerShell loads the modules of Hyper-V, storage and iSCSI in each session anew, while a plan waits',
		expected: `the first answer that needs them comes within ${reportMs / 1000} s, and the host has an initiator`,
		needs: ['driver-answers'],
		run: async ({ settings: { driver, datastore } }) => {
			const [report, firstMs] = await timed(() => driver.ask('report', { datastore }));
			const [, secondMs] = await timed(() => driver.ask('report', { datastore }));
			const initiator = report.initiatorName ?? 'no initiator';
			return {
				asExpected: firstMs <= reportMs && report.initiatorName !== null,
				seen: `${firstMs} ms, then ${secondMs} ms; ${initiator}`,
				facts: { ...report, firstMs, secondMs },
			};
		},
	},
	{
		name: 'driver-cmdlets',
		why: 'the driver was checked against published descriptions of cmdlets, which may be behind what Windows has',
		expected: 'the host has every cmdlet and parameter that the driver uses',
		needs: ['driver-answers'],
		run: async ({ settings: { driver } }) => {
			const { missing } = await driver.ask('check-cmdlets', { cmdlets });
			const names = missing.map(({ cmdlet, parameter }) => (parameter === null ? cmdlet : `${cmdlet} -${parameter}`));
			const parameters = Object.values(cmdlets).reduce((sum, some) => sum + some.length, 0);
			return {
				asExpected: missing.length === 0,
				seen:
					missing.length === 0
						? `all of ${Object.keys(cmdlets).length} cmdlets and ${parameters} parameters`
						: `missing: ${names.join(', ')}`,
				facts: { missing: names },
			};
		},
	},
];

export async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
	const begun = performance.now();
	return [await work(), Math.round(performance.now() - begun)];
}
