"""The process that keeps one run of Trackio: what a run is on the first line of its input, then metrics a line each.

Run by trackio.py with the environment that decides where its files lie and whether it may send anything. It ends with
its input. It exits with 1 and the last of Trackio's warnings where there was one: Trackio turns its errors into them.
Warnings of other packages, and that something will change in a later version, are no errors.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import trackio

PACKAGE = Path(trackio.__file__).parent
OF_ERRORS = (UserWarning, RuntimeWarning)


def main() -> None:
    opened = json.loads(sys.stdin.readline())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = trackio.init(**opened, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False)
        for line in sys.stdin:
            message = json.loads(line)
            run.log(message["metrics"], step=message["step"])
        run.finish()
    errors = [each for each in said if issubclass(each.category, OF_ERRORS) and PACKAGE in Path(each.filename).parents]
    if errors:
        print(" ".join(str(errors[-1].message).split()), file=sys.stderr, flush=True)
        os._exit(1)  # at a usual exit Trackio would finish once more, and say so


if __name__ == "__main__":
    main()
