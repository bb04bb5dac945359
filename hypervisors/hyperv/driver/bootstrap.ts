/**
 * How a constant script gets onto the Windows host, where nothing is installed: `powershell.exe` is started with a short
 * program on its command line, which reads the script by its length from stdin, compares its SHA-256 and runs it. It is
 * the only text that is ever evaluated, and says beforehand what that is.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface ConstantScript {
	/** ASCII: bytes are characters in every code page of Windows. */
	text: string;
	/** In upper case, as .NET prints it. */
	sha256: string;
}

/**
 * cmd.exe takes no longer line, and it is what Windows' OpenSSH server starts programs with.
 * https://learn.microsoft.com/troubleshoot/windows-client/shell-experience/command-line-string-limitation
 */
export const commandLengthLimit = 8191;

/** What the bootstrap exits with when the script did not arrive as it was promised. */
export const wrongScriptExitCode = 97;

/** The driver's parts, in the order in which they make one script. */
export const driverParts = [
	'prologue.ps1',
	'json.ps1',
	'failure.ps1',
	'files.ps1',
	'host.ps1',
	'disks.ps1',
	'appliance.ps1',
	'machines.ps1',
	'power.ps1',
	'chains.ps1',
	'checkpoints.ps1',
	'volume.ps1',
	'setup-host.ps1',
	'setup-key.ps1',
	'setup-appliance.ps1',
	'loop.ps1',
] as const;

export const loadDriverScript = () => load(driverParts);
export const loadConsoleScript = () => load(['console.ps1']);

async function load(parts: readonly string[]): Promise<ConstantScript> {
	const texts = await Promise.all(parts.map(part => readFile(new URL(`powershell/${part}`, import.meta.url), 'utf8')));
	return constantScript(texts.join('\n'));
}

/** Throws a RangeError for text that is not ASCII. */
export function constantScript(text: string): ConstantScript {
	const strange = /[^\t\n -~]/.exec(text);
	if (strange) throw new RangeError(`character ${strange.index} of a script is ${JSON.stringify(strange[0])}`);
	return { text, sha256: createHash('sha256').update(text, 'ascii').digest('hex').toUpperCase() };
}

/**
 * The line that says that the script arrived whole, and begins. What comes before it is of the shell that Windows started
 * (an AutoRun of cmd.exe, a banner), and no answer.
 */
export function greetingOf(script: ConstantScript): string {
	return `rouse ${script.sha256}`;
}

/**
 * Only the variable named `$input` makes PowerShell's host take stdin for itself, so it stands nowhere, here or in a
 * script. `[Console]::In` reads ahead: whatever comes after the script is read through it too. SHA256CryptoServiceProvider
 * is there where Windows demands FIPS 140, SHA256Managed is not:
 * https://learn.microsoft.com/dotnet/api/system.security.cryptography.sha256managed
 */
export function bootstrapText(script: ConstantScript): string {
	const { length } = script.text;
	return [
		"$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue'",
		`$c=New-Object char[] ${length}`,
		`$n=[Console]::In.ReadBlock($c,0,${length})`,
		'$t=[string]::new($c)',
		'$h=(New-Object Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash([Text.Encoding]::ASCII.GetBytes($t))',
		`if($n -ne ${length} -or [BitConverter]::ToString($h).Replace('-','') -ne '${script.sha256}')` +
			`{[Console]::Error.WriteLine("rouse: $n of ${length} characters came, or others than were sent");exit ${wrongScriptExitCode}}`,
		`[Console]::Out.WriteLine('${greetingOf(script)}')`,
		'&([ScriptBlock]::Create($t))',
	].join('\n');
}

/**
 * The whole command for the Windows host. `-OutputFormat Text`: else errors come as CLIXML. The program is UTF-16LE in
 * base64: https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_powershell_exe
 */
export function bootstrapCommand(script: ConstantScript): string {
	const encoded = Buffer.from(bootstrapText(script), 'utf16le').toString('base64');
	return `powershell.exe -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand ${encoded}`;
}
