"""python3 -m foreign judge DIRECTORY [--export MACHINE TIME DISK FILE]...: a report as JSON; 0 clean, 9 findings, 10 unsupported.
python3 -m foreign each DIRECTORY: judges every repository in it, with a line for each that is not clean.
python3 -m foreign write DIRECTORY [--seed N]: a small repository; what its disks hold as JSON.
python3 -m foreign check DIRECTORY [--seed N] [--flips N]: whether the reader finds crafted damage and flipped bits.
python3 -m foreign craft DIRECTORY [--seed N]: the crafted repositories, for other readers; what each of them is as JSON.
Run where the folder `foreign` lies."""
from __future__ import annotations

import argparse
import json
import sys

from .crafted.check import check, craft
from .each import judge_each
from .export import Wanted
from .judge import judge
from .write import write


def main() -> int:
    parser = argparse.ArgumentParser(prog="foreign", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    judging = commands.add_parser("judge")
    judging.add_argument("directory")
    judging.add_argument("--export", nargs=4, action="append", default=[], metavar=("MACHINE", "TIME", "DISK", "FILE"))
    commands.add_parser("each").add_argument("directory")
    for name in ("write", "check", "craft"):
        command = commands.add_parser(name)
        command.add_argument("directory")
        command.add_argument("--seed", type=int, default=1)
        if name == "check":
            command.add_argument("--flips", type=int, default=24)
    asked = parser.parse_args()
    if asked.command == "judge":
        return _judge(asked)
    if asked.command == "each":
        return judge_each(asked.directory)
    if asked.command == "check":
        found = check(asked.directory, asked.seed, asked.flips)
        json.dump(found, sys.stdout, indent=1)
        return 9 if found["failed"] else 0
    json.dump((write if asked.command == "write" else craft)(asked.directory, asked.seed), sys.stdout, indent=1)
    return 0


def _judge(asked: argparse.Namespace) -> int:
    exports = [Wanted(machine, time, int(disk), path) for machine, time, disk, path in asked.export]
    report = judge(asked.directory, exports)
    json.dump(report.as_json(), sys.stdout, indent=1)
    return report.exit_code()


sys.exit(main())
