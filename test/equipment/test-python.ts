import { provideTestPython } from '../../cli/setup/test-python.ts';
import { cacheDirectory } from '../../system/installation.ts';

let python: Promise<string> | undefined;

/** The Python that has what tests need. */
export function testPython(): Promise<string> {
	python ??= provideTestPython(cacheDirectory(process.env), {
		output: { message: text => console.error(text) },
		signal: new AbortController().signal,
	});
	return python;
}
