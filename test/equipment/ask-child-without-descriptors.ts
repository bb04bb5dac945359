/** `node ask-child-without-descriptors.ts CALL`: asks a child when no more files can be opened, and says the code of what comes of it. */
import { openSync } from 'node:fs';
import { callSchema } from '../../sources/machine-child/calls.ts';
import { askChild } from '../../sources/machine-child/child.ts';
import { asRouseError } from '../../model/errors.ts';

const call = callSchema.parse(JSON.parse(process.argv[2] ?? ''));
try {
	for (;;) openSync('/dev/null', 'r');
} catch {
	// There are none left.
}
try {
	await askChild(call, { silenceMs: 60_000 }, new AbortController());
} catch (error) {
	console.log(asRouseError(error).code);
}
