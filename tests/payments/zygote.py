"""Starts `serve` and `payments` as real processes within milliseconds: forked from one that has imported all of it.

Each line on its standard input is [command, environment]; it answers with the process' id.
"""

import json
import os
import signal
import sys

from console import serving
from console.payments import running

COMMANDS = {"serve": serving.main, "payments": running.main}


def main() -> None:
    """Fork a process per line; who is killed is reaped by nobody's waiting."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        command, environ = json.loads(line)
        process = os.fork()
        if process == 0:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what they log is no answer
            os._exit(COMMANDS[command](environ))
        print(process, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
