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

const own = { name: 'kvm2', hostId: undefined };

describe('What a Linux machine lacks to be a host', () => {
	it('is nothing where all is there', () => {
		const facts = parseFacts(said());
		assert.deepEqual(facts.freeBytes, { directory: 5_000_000_000, home: 6_000_000_000 });
		assert.deepEqual([linuxProblems(facts, { ...own, install: false }), linuxWarnings(facts)], [[], []]);
	});

	it('is told all at once, with the packages that bring it, unless they may be installed', () => {
		const text = said({ isRoot: 'no', home: '1000', kvm: 'no', systemd: 'no' })
			.replace('tool qemu-img version 9.2.1', 'tool qemu-img version 6.2.0')
			.replace('tool ip version 9.2.1', 'tool ip ')
			.concat('\nmissing /usr/share/OVMF/OVMF_CODE_4M.fd');
		const facts = parseFacts(text);
		assert.deepEqual(missingPackages(facts), ['iproute2', 'ovmf', 'qemu-utils']);
		const problems = linuxProblems(facts, { ...own, install: false });
		assert.equal(problems.length, 3);
		assert.match(problems.join(), /not root.*free for its home.*iproute2 ovmf qemu-utils \(--install-packages/s);
		assert.equal(linuxProblems(facts, { ...own, install: true }).length, 2);
		assert.equal(linuxWarnings(facts).length, 2);
		assert.match(linuxProblems({ ...facts, apt: false }, { ...own, install: true }).join(), /no apt-get, and lacks/);
	});

	it('is a home of another host, and a way to the program that others may write', () => {
		const joined = { name: 'kvm2', hostId: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d' };
		const facts = parseFacts(
			`${said({ joined: JSON.stringify({ version: 0, ...joined }) })}\nown 0 0 775 /a/b\nway 1000 0 755 /a\nway 0 0 1777 /tmp\nway 0 0 755 /`,
		);
		const problems = (hostId: string | undefined, name = 'kvm2') =>
			linuxProblems(facts, { install: false, name, hostId }).join();
		assert.match(
			problems(joined.hostId),
			/through \/a\/b which may be written.*through \/a which belongs to user 1000$/,
		);
		assert.match(problems(undefined), /home is that of the host kvm2/);
		assert.match(problems(joined.hostId, 'kvm3'), /home is that of the host kvm2/);
		assert.throws(() => parseFacts(said({ joined: '{}' })), { code: 'config_invalid' });
	});

	it('is another system or processor, whatever else is there', () => {
		assert.deepEqual(linuxProblems(parseFacts(said({ system: 'Darwin' })), { ...own, install: true }), [
			'it runs Darwin',
		]);
		assert.match(linuxProblems(parseFacts(said({ machine: 'aarch64' })), { ...own, install: true }).join(), /aarch64/);
		assert.deepEqual(linuxProblems(parseFacts(''), { ...own, install: true }), ['it runs no Linux']);
	});
});
