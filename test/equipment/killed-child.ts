/**
 * `node killed-child.ts N MODULE FUNCTION ARGUMENTS`: calls a function with arguments from JSON, and kills itself before it
 * makes, changes or removes a file or starts a program for the Nth time.
 */
import childProcess from 'node:child_process';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [killAt = '', module = '', name = '', args = '[]'] = process.argv.slice(2);
let steps = 0;

function countSteps(owner: object, names: readonly string[]): void {
	for (const method of names) {
		const original: unknown = Reflect.get(owner, method);
		if (typeof original !== 'function') throw new Error(`there is no ${method}`);
		Reflect.set(owner, method, (...given: unknown[]): unknown => {
			steps += 1;
			if (steps === Number(killAt)) process.kill(process.pid, 'SIGKILL');
			return Reflect.apply(original, owner, given);
		});
	}
}

countSteps(files, ['mkdir', 'open', 'writeFile', 'rename', 'link', 'unlink', 'rm']);
countSteps(childProcess, ['spawn']);
syncBuiltinESMExports();

const called: unknown = Reflect.get(Object(await import(module)), name);
if (typeof called !== 'function') throw new Error(`${module} has no ${name}`);
const given: unknown = JSON.parse(args);
await Reflect.apply(called, undefined, Array.isArray(given) ? given : []);
