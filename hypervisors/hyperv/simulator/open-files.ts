import { breaks } from './rules.ts';
import { isWithin, keyOfPath } from './windows-paths.ts';

/**
 * Readers share a file; who writes has it alone. `merge`: VMMS has it beside the machine that it is of. Who deletes or renames one
 * shares it with nobody.
 */
export type OpenMode = 'read' | 'write' | 'merge' | 'delete';

interface Holder {
	who: string;
	mode: OpenMode;
}

function canShare(held: OpenMode, wanted: OpenMode): boolean {
	if (held === 'delete' || wanted === 'delete') return false;
	return held === 'merge' || wanted === 'merge' || (held === 'read' && wanted === 'read');
}

/** Which files are open, and for whom: as the sharing modes of Windows, and vhdmp's use of them. */
export class OpenFiles {
	readonly #holders = new Map<string, Holder[]>();

	/** Throws 0x80070020. The result gives the file back. */
	take(path: string, mode: OpenMode, who: string, cmdlet: string): () => void {
		const key = keyOfPath(path);
		const holders = this.#holders.get(key) ?? [];
		const other = holders.find(holder => !canShare(holder.mode, mode));
		if (other !== undefined) throw breaks('fileInUse', cmdlet, `${path} is open: ${other.who}.`);
		const holder = { who, mode };
		this.#holders.set(key, [...holders, holder]);
		return () => {
			const rest = (this.#holders.get(key) ?? []).filter(one => one !== holder);
			if (rest.length > 0) this.#holders.set(key, rest);
			else this.#holders.delete(key);
		};
	}

	isAnyOpenIn(directory: string): boolean {
		return [...this.#holders.keys()].some(path => isWithin(path, directory));
	}

	isWritten(path: string): boolean {
		return this.#isHeld(path, 'write');
	}

	isMerged(path: string): boolean {
		return this.#isHeld(path, 'merge');
	}

	#isHeld(path: string, wanted: OpenMode): boolean {
		return this.#holders.get(keyOfPath(path))?.some(({ mode }) => mode === wanted) === true;
	}
}
