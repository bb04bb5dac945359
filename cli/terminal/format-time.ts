/** Times for people: of their own clock and zone. JSON has RFC 3339 in UTC. */

/** `2026-11-20 04:00:12`; `at` as RFC 3339. */
export function formatLocalTime(at: string): string {
	const time = new Date(at);
	const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join('-');
	return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')}`;
}

/** `04:00:12 (2 h ago)`, with the date unless it is today. `nowMs`: of the epoch. */
export function formatTime(at: string, nowMs = Date.now()): string {
	const local = formatLocalTime(at);
	const today = formatLocalTime(new Date(nowMs).toISOString()).slice(0, 10);
	return `${local.startsWith(today) ? local.slice(11) : local} (${formatAge(nowMs - Date.parse(at))})`;
}

/** `04:00 (in 12 min)`: of what is only foreseen. */
export function formatMinute(atMs: number, nowMs: number): string {
	return formatTime(new Date(atMs).toISOString(), nowMs).replace(/:\d{2} \(/, ' (');
}

/** `UTC+01:00`: the zone that the local time of `at` is of. */
export function formatZone(at: string): string {
	const minutes = -new Date(at).getTimezoneOffset();
	const size = Math.abs(minutes);
	return `UTC${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`;
}

/** In one unit. What lies ahead, by another clock, is `in 5 s`. */
function formatAge(ms: number): string {
	const seconds = Math.floor(Math.abs(ms) / 1000);
	const size =
		seconds < 60
			? `${seconds} s`
			: seconds < 3600
				? `${Math.floor(seconds / 60)} min`
				: seconds < 2 * 86_400
					? `${Math.floor(seconds / 3600)} h`
					: `${Math.floor(seconds / 86_400)} d`;
	return ms > -1000 ? `${size} ago` : `in ${size}`;
}

function twoDigits(value: number): string {
	return String(value).padStart(2, '0');
}
