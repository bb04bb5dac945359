/** Looks at a connection within the time in which it must say something. Counted, so that a process that was stopped cuts none. */
const looks = 5;

interface Silence {
	/** How much has come of the connection. */
	heardBytes: () => number;
	silenceMs: number;
	onSilence: () => void;
}

/** What is awaited of a connection; `onSilence` is called when nothing has come of that for too long, once. */
export async function unlessSilent(
	awaited: Promise<void>,
	{ heardBytes, silenceMs, onSilence }: Silence,
): Promise<void> {
	let heard = heardBytes();
	let unheard = 0;
	const timer = setInterval(() => {
		const now = heardBytes();
		unheard = now === heard ? unheard + 1 : 0;
		heard = now;
		if (unheard === looks) onSilence();
	}, silenceMs / looks);
	try {
		await awaited;
	} finally {
		clearInterval(timer);
	}
}
