import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod';
import { driverUses } from '../../hypervisors/hyperv/driver/driver-uses.ts';
import { lintDriver, usedByDriver } from '../../tools/lint-driver.ts';
import { loadCmdlets } from '../../tools/powershell/cmdlets.ts';
import { lintScript } from '../../tools/powershell/lint-script.ts';

const cmdlets = await loadCmdlets();

async function messages(text: string): Promise<string[]> {
	return (await lintScript(text, { cmdlets })).map(({ line, message }) => `${line}: ${message}`);
}

describe('The scripts for Windows hosts', () => {
	it('have nothing that the lint objects to', async () => {
		assert.deepEqual(await lintDriver(), []);
	});

	it('use the cmdlets and parameters that a host is asked for, and these alone', async () => {
		assert.deepEqual(await usedByDriver(), driverUses);
	});
});

describe('`lintScript` takes', () => {
	for (const [what, text] of [
		['a whole call', "Set-VHD -Path $a -ParentPath $b -IgnoreIdMismatch\nSet-VM -VM $vm -CheckpointType 'Disabled'"],
		['a table that is written down before', '$t = @{ Path = $p; SizeBytes = 1 }\n$d = New-VHD @t -Dynamic'],
		['a switch with a value', "Disconnect-IscsiTarget -NodeAddress 'iqn' -Confirm:$false"],
		['output that nobody gets', 'Get-VM *> $null'],
		['a value that nobody knows here', 'Set-VM -VM $vm -CheckpointType $type'],
		['functions of its own', 'function Get-A {\n    param($B)\n    return $B\n}\nGet-A -B 1'],
	] as const)
		it(what, async () => assert.deepEqual(await messages(text), []));
});

describe('`lintScript` refuses', () => {
	for (const [what, text, message] of [
		['a cmdlet that is not in the table', 'Get-Secret -Name a', /no cmdlet of the table/],
		['an alias', "iex 'a'", /^1: iex: no cmdlet/],
		['a program', 'powershell.exe -File a', /no cmdlet/],
		['`Invoke-Expression`', "Invoke-Expression -Command 'a'", /no cmdlet/],
		['a cmdlet in a text', '"a $(Get-Secret -Name a)"', /no cmdlet/],
		['a made-up parameter', 'Set-VHD -Path a -ParentPath b -IgnoreIdentifierMismatch', /no -IgnoreIdentifierMismatch/],
		['a shortened parameter', 'Set-VHD -Path a -Parent b', /no -Parent/],
		['a parameter without its name', "Get-VHD 'a'", /without a name/],
		['a parameter that is given twice', 'Get-VHD -Path a -Path b', /-Path is given twice/],
		['a made-up value', "Set-VM -VM $vm -CheckpointType 'None'", /one of .*Disabled.*, not None/],
		['parameters of two sets', 'Set-Disk -Number 1 -IsOffline $false -IsReadOnly $false', /no parameter set/],
		['a required parameter that is missing', 'Set-VMComPort -VM $vm -Path a', /-Number is missing/],
		['a value of a switch', 'New-VHD -Path a -SizeBytes 1 -Dynamic 1', /-Dynamic takes no value/],
		['a parameter without its value', 'Get-VHD -Path', /-Path has no value/],
		['a made-up parameter in a table', '$t = @{ Path = 1; Size = 2 }\nNew-VHD @t', /^2: New-VHD: there is no -Size/],
		['a made-up value in a table', "$t = @{ VM = $v; AutomaticStartAction = 'Never' }\nSet-VM @t", /not Never/],
		['a table of somewhere else', 'function F {\n    param($T)\n    New-VHD @T\n}', /@T is not one table/],
		['a table that is changed', "$t = @{ Path = 1 }\n$t['Sizes'] = 2\nNew-VHD @t -SizeBytes 1", /@t is not one table/],
		['an unknown parameter of a function', 'function F {\n    param($A)\n}\nF -A 1 -B 2', /no -B/],
		['a function without its parameter', 'function F {\n    param($A)\n}\nF', /-A is missing/],
		['`$input`', '$a = $input', /stdin/],
		['`$input` in braces and capitals', '$a = ${INPUT}', /stdin/],
		['`&`', '& $a', /& runs/],
		['`.`', '. $a', /\. runs/],
		['a block', '$a = { 1 }', /block/],
		['a file that is written to', 'Get-VM > $file', /redirection/],
		['a pipe', 'Get-VM | Stop-VM -Force', /joined by \|/],
		['`-EncodedCommand`', 'powershell -EncodedCommand a', /-EncodedCommand runs text/],
		['`.Invoke(`', "$a.Invoke('b')", /\.Invoke runs/],
		['a type that runs text', "[ScriptBlock]::Create('a')", /\[ScriptBlock\] is no type/],
		['a cast to one', "$a = [scriptblock]'b'", /\[scriptblock\] is no type/],
		['an object of such a type', "$a = New-Object -TypeName 'Diagnostics.Process'", /Diagnostics.Process is no type/],
		['an object of a type that nobody knows here', '$a = New-Object -TypeName $b', /no type/],
		['what is no PowerShell', 'if ($a { }', /no PowerShell/],
		['a character that is not ASCII', "$a = '\u00fc'", /not ASCII/],
	] as const)
		it(what, async () => {
			const found = await messages(text);
			assert.ok(
				found.some(each => message.test(each)),
				found.join('\n') || 'nothing was found',
			);
		});

	it('a call that may be of several sets, none of which counts by default', async () => {
		const parameters = { A: { type: 'String', required: false } };
		const sets = ['One', 'Other'].map(name => ({ name, default: false, parameters }));
		const found = await lintScript('Get-It -A 1', { cmdlets: new Map([['Get-It', sets]]) });
		assert.match(found[0]?.message ?? '', /any of the parameter sets One, Other/);
	});
});

describe('`lintScript` of a driver refuses', () => {
	const operations = {
		'look-up': {
			request: z.object({ name: z.string(), places: z.array(z.object({ city: z.string() })) }),
			answer: z.object({ found: z.boolean(), files: z.array(z.object({ path: z.string() })) }).nullable(),
		},
	};
	const driver = (body: string, dispatch = "'look-up' { return Invoke-LookUp -Request $Request }") =>
		[
			'function Invoke-Any {\n    param($Request)\n    switch ($Request.op) {',
			`        ${dispatch}\n    }\n}`,
			'function Get-File {\n    param($P)\n    return [ordered]@{ path = $P }\n}',
			`function Invoke-LookUp {\n    param($Request)\n${body}\n}`,
		].join('\n');
	const reads = '    $a = $Request.name\n    foreach ($p in $Request.places) {\n        $b = $p.city\n    }';
	const answers =
		'    $f = @()\n    $f += , (Get-File -P 1)\n    return [ordered]@{ found = $true; files = $f }\n    return $null';
	const lint = async (text: string) => {
		const found = await lintScript(text, { cmdlets, operations });
		return found.map(({ message }) => message);
	};

	it('nothing of one that does what its requests say', async () => {
		assert.deepEqual(await lint(driver(`${reads}\n${answers}`)), []);
	});

	for (const [what, text, message] of [
		[
			'a field that no request has',
			driver(`${reads}\n    $c = $Request.nane\n${answers}`),
			'no request has $Request.nane',
		],
		[
			'one of an item',
			driver(`${reads.replace('.city', '.town')}\n${answers}`),
			'no request has $Request.places[].town',
		],
		[
			'a field that is not read',
			driver(`${reads.replace('.name', '.places')}\n${answers}`),
			'Invoke-LookUp does not read $Request.name',
		],
		[
			'an answer without a field',
			driver(`${reads}\n${answers.replace('found = $true; ', '')}`),
			'Invoke-LookUp does not answer with found',
		],
		[
			'an answer with another field',
			driver(`${reads}\n${answers.replace('$true', '$true; more = 1')}`),
			'Invoke-LookUp answers with more, which no answer has',
		],
		[
			'the same in a function that it calls',
			driver(`${reads}\n${answers}`).replace('path = $P', 'file = $P'),
			'Get-File does not answer with path',
		],
		[
			'an answer that cannot be followed',
			driver(`${reads}\n    return $a.b`),
			'what is answered cannot be followed: $a.b',
		],
		['no answer', driver(reads), 'Invoke-LookUp returns nothing'],
		['an operation that is not begun', driver(`${reads}\n${answers}`, "'a' { return 1 }"), 'look-up is begun 0 times'],
		['one that nobody asks for', driver(`${reads}\n${answers}`, "'a' { return 1 }"), 'there is no operation a'],
		[
			'one that another function does',
			driver(`${reads}\n${answers}`, "'look-up' { return Get-File -P $Request }"),
			'look-up is done by Get-File',
		],
	] as const)
		it(what, async () => {
			const found = await lint(text);
			assert.ok(found.includes(message), found.join('\n') || 'nothing was found');
		});
});
