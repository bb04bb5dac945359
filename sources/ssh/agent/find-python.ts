/**
 * A function of sh that says which Python can run the agent, and fails where none can: one that is too old, or lacks its library, is none. A
 * system's own may have a name that no user finds. `-B`: it would write what it has compiled beside its libraries.
 */
export const findPython = `find_python() {
	for python in python3 /usr/libexec/platform-python; do
		"$python" -I -B -c 'import hashlib, signal, struct' </dev/null >/dev/null 2>&1 && echo "$python" && return
	done
	return 1
}`;
