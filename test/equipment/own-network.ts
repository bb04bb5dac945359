/**
 * Loaded first into every process of the test runner: that of a test file goes into a network of its own, in which a port that
 * was free stays free. The process stays the same, so that the runner ends it as it ends others.
 */
import process from 'node:process';

const { ROUSE_TEST_NETWORK: start, ...env } = process.env;
// Set by the runner for those that it starts: https://nodejs.org/api/test.html
if (start !== undefined && process.env['NODE_TEST_CONTEXT'] !== undefined)
	process.execve?.('/usr/bin/env', ['env', ...JSON.parse(start), ...process.execArgv, ...process.argv.slice(1)], env);
