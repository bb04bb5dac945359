import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linuxProblems, linuxWarnings, missingPackages, parseFacts } from '../../cli/host/linux/look.ts';
import { tools } from '../../cli/setup/tools.ts';

const said = (changes: Readonly<Record<string, string>> = {}): string => {
	const facts = { system: 'Linux', machine: 'x86_64', isRoot: 'yes', systemd: 'yes', kvm: 'yes', apt: 'yes' };
	const room = { directory: '5000000000', home: '6000000000' };
	const lines = Object.entries({ ...facts, ...room, ...changes }).map(([word, value]) => `${word} ${value}`);
	const found = tools.flatMap(({ probe }) => ('file' in probe ? [] : [`tool ${probe.command} version 9.2.1`]));
	return [...lines, ...found].join('\n');
};

describe('What a Linux machine lacks to be a host', () => {
	it('is nothing where all is there', () => {
		const facts = parseFacts(said());
		assert.deepEqual(facts.freeBytes, { directory: 5_000_000_000, home: 6_000_000_000 });
		assert.deepEqual([linuxProblems(facts, { install: false }), linuxWarnings(facts)], [[], []]);
	});

	it('is told all at once, with the packages that bring it, unless they may be installed', () => {
		const text = said({ isRoot: 'no', home: '1000', kvm: 'no', systemd: 'no' })
			.replace('tool qemu-img version 9.2.1', 'tool qemu-img version 6.2.0')
			.replace('tool ip version 9.2.1', 'tool ip ')
			.concat('\nmissing /usr/share/OVMF/OVMF_CODE_4M.fd');
		const facts = parseFacts(text);
		assert.deepEqual(missingPackages(facts), ['iproute2', 'ovmf', 'qemu-utils']);
		const problems = linuxProblems(facts, { install: false });
		assert.equal(problems.length, 3);
		assert.match(problems.join(), /not root.*free for its home.*iproute2 ovmf qemu-utils \(--install-packages/s);
		assert.equal(linuxProblems(facts, { install: true }).length, 2);
		assert.equal(linuxWarnings(facts).length, 2);
		assert.match(linuxProblems({ ...facts, apt: false }, { install: true }).join(), /no apt-get, and lacks/);
	});

	it('is another system or processor, whatever else is there', () => {
		assert.deepEqual(linuxProblems(parseFacts(said({ system: 'Darwin' })), { install: true }), ['it runs Darwin']);
		assert.match(linuxProblems(parseFacts(said({ machine: 'aarch64' })), { install: true }).join(), /aarch64/);
		assert.deepEqual(linuxProblems(parseFacts(''), { install: true }), ['it runs no Linux']);
	});
});
