import type { MachineConfig } from '../model/machine.ts';

/** What a machine had to prove itself by and gets nowhere; `withSecureBoot`: it has that again. */
export function securityWarnings(
	{ os, secureBoot, vtpm, efiVariables }: MachineConfig,
	{ withSecureBoot }: { withSecureBoot: boolean },
): string[] {
	const warnings: string[] = [];
	if (secureBoot === true && !withSecureBoot) warnings.push('Secure Boot was on: the machine starts without it');
	if (vtpm === true) {
		const keys = os === 'windows' ? 'BitLocker asks for its recovery key' : 'keys that were sealed to it are needed';
		warnings.push(`it had a TPM, and gets none: ${keys}`);
	}
	if (efiVariables !== null && efiVariables.length > 0)
		warnings.push('its EFI variables are not carried over: the firmware looks itself for what to start');
	return warnings;
}
