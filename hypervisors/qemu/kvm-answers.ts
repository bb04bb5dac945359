import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import type { KvmAnswer, Variant } from './acceleration.ts';
import type { ProbeAnswer } from './kvm-probe.ts';

const answerSchema = z.strictObject({
	bootId: z.string(),
	qemuVersion: z.string(),
	systemBinary: z.string(),
	firmware: z.enum(['bios', 'efi']),
	enlightenments: z.boolean(),
	works: z.boolean(),
	reason: z.string(),
});
type KeptAnswer = z.infer<typeof answerSchema>;
const fileSchema = z.strictObject({ version: z.literal(1), answers: z.array(answerSchema) });

export interface KvmAnswersOptions {
	/** `kvm.json`; answers of other versions and binaries may be in it too. */
	path: string;
	bootId: string;
	qemuVersion: string;
	systemBinary: string;
	/** Tries it: {@link tryVariant}. */
	probe: (variant: Variant) => Promise<ProbeAnswer>;
	/** Why there is no KVM to try, if so: {@link missingKvm}. */
	missing: () => Promise<string | undefined>;
	/** Milliseconds that only ever grow. */
	clock: () => number;
}

/** How long an answer counts that may have been the moment's fault. */
const doubtfulMs = 10 * 60_000;

/** Which machines KVM runs here. Each variant is tried once a boot of the host, when somebody first asks. */
export class KvmAnswers {
	readonly #options: KvmAnswersOptions;
	readonly #found = new Map<string, { answer: KvmAnswer; until: number }>();
	readonly #trials = new Map<string, Promise<ProbeAnswer>>();

	constructor(options: KvmAnswersOptions) {
		this.#options = options;
	}

	/** Why there is no KVM at all, if so. */
	missing(): Promise<string | undefined> {
		return this.#options.missing();
	}

	/** The answer, tried for when nobody has it. Of several who ask at once, one tries. */
	async ask(variant: Variant): Promise<KvmAnswer> {
		const known = await this.known(variant);
		if (known) return known;
		const key = keyOf(variant);
		const trial = this.#trials.get(key) ?? this.#try(variant).finally(() => this.#trials.delete(key));
		this.#trials.set(key, trial);
		const { works, reason } = await trial;
		return { works, reason };
	}

	/** The answer, when it is there. */
	async known(variant: Variant): Promise<KvmAnswer | undefined> {
		const missing = await this.#options.missing();
		if (missing !== undefined) return { works: false, reason: missing };
		const found = this.#found.get(keyOf(variant));
		if (found && this.#options.clock() < found.until) return found.answer;
		const kept = (await readAnswers(this.#options.path)).find(answer => this.#isOurs(answer, variant));
		return kept && { works: kept.works, reason: kept.reason };
	}

	async #try(variant: Variant): Promise<ProbeAnswer> {
		const answer = await this.#options.probe(variant);
		const { works, reason, lasting } = answer;
		const until = lasting ? Number.POSITIVE_INFINITY : this.#options.clock() + doubtfulMs;
		this.#found.set(keyOf(variant), { answer: { works, reason }, until });
		if (lasting) await this.#keep(variant, answer);
		return answer;
	}

	async #keep(variant: Variant, { works, reason }: KvmAnswer): Promise<void> {
		const { path, bootId, qemuVersion, systemBinary } = this.#options;
		// Two processes that write at once lose an answer of one of them: it is asked again.
		const others = (await readAnswers(path)).filter(
			answer => answer.bootId === bootId && !this.#isOurs(answer, variant),
		);
		const answers: KeptAnswer[] = [...others, { bootId, qemuVersion, systemBinary, ...variant, works, reason }];
		try {
			await mkdir(dirname(path), { recursive: true });
			await replaceFileDurably(path, `${JSON.stringify({ version: 1, answers })}\n`);
		} catch {
			// A cache: on a full disk, or without the right to write there, the answer is this process's alone.
		}
	}

	#isOurs(answer: KeptAnswer, variant: Variant): boolean {
		const { bootId, qemuVersion, systemBinary } = this.#options;
		return (
			answer.bootId === bootId &&
			answer.qemuVersion === qemuVersion &&
			answer.systemBinary === systemBinary &&
			keyOf(answer) === keyOf(variant)
		);
	}
}

/** One that cannot be read, or is of another version, is none. */
async function readAnswers(path: string): Promise<KeptAnswer[]> {
	try {
		return fileSchema.parse(JSON.parse(await readFile(path, 'utf8'))).answers;
	} catch {
		return [];
	}
}

function keyOf({ firmware, enlightenments }: Variant): string {
	return `${firmware} ${enlightenments}`;
}

/** Looked at each time: a group, or a module that is loaded, changes it without a boot. */
export async function missingKvm(device = '/dev/kvm'): Promise<string | undefined> {
	try {
		await access(device, constants.R_OK | constants.W_OK);
		return undefined;
	} catch (error) {
		return `${device} ${isErrno(error, 'EACCES') ? 'may not be opened by this user' : 'is not there'}`;
	}
}

export async function currentBootId(): Promise<string> {
	return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
