"""The process that keeps one run of Trackio: what a run is on the first line of its input, then metrics a line each.

Run by trackio.py with the environment that decides where its files lie and whether it may send anything. It ends with
its input. It exits with 1 and the last of Trackio's warnings where there was one: Trackio turns its errors into them.
"""

import json
import os
import sys
import warnings

import trackio


def main() -> None:
    opened = json.loads(sys.stdin.readline())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = trackio.init(**opened, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False)
        for line in sys.stdin:
            message = json.loads(line)
            run.log(message["metrics"], step=message["step"])
        run.finish()
    told = [str(warning.message) for warning in said if not issubclass(warning.category, DeprecationWarning)]
    if told:
        print(" ".join(told[-1].split()), file=sys.stderr, flush=True)
        os._exit(1)  # at a usual exit Trackio would finish once more, and say so


if __name__ == "__main__":
    main()
