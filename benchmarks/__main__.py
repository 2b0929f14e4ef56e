"""`make bench`: every measurement, as tables of medians with ratios within the run.

python -m benchmarks [NAME ...] [--quick] [--json FILE]
"""

import argparse
import sys
from pathlib import Path

from benchmarks.catalogue import BENCHMARKS
from benchmarks.run import run


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all of them if none")
    parser.add_argument("--quick", action="store_true", help="less of each, within two minutes")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    sys.exit(run(arguments.names, quick=arguments.quick, json=arguments.json))


if __name__ == "__main__":
    main()
