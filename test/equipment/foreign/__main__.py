"""python3 -m foreign judge DIRECTORY [--export MACHINE TIME DISK FILE]...: a report as JSON; 0 clean, 9 findings, 10 unsupported.
python3 -m foreign write DIRECTORY [--seed N]: a small repository; what its disks hold as JSON.
Run where the folder `foreign` lies."""
from __future__ import annotations

import argparse
import json
import sys

from .export import Wanted
from .judge import judge
from .write import write


def main() -> int:
    parser = argparse.ArgumentParser(prog="foreign", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    judging = commands.add_parser("judge")
    judging.add_argument("directory")
    judging.add_argument("--export", nargs=4, action="append", default=[], metavar=("MACHINE", "TIME", "DISK", "FILE"))
    writing = commands.add_parser("write")
    writing.add_argument("directory")
    writing.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.command == "write":
        json.dump(write(asked.directory, asked.seed), sys.stdout, indent=1)
        return 0
    exports = [Wanted(machine, time, int(disk), path) for machine, time, disk, path in asked.export]
    report = judge(asked.directory, exports)
    json.dump(report.as_json(), sys.stdout, indent=1)
    return report.exit_code()


sys.exit(main())
