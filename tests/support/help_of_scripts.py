"""What scripts print for `--help`, as JSON: python help_of_scripts.py SCRIPT ... All in one process, as torch takes
seconds to import; what lies beside a script is imported anew for each, from where that script looks for it."""

import io
import json
import runpy
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

TESTS = Path(__file__).parents[1]
PATHS = sys.path[1:]


def help_of(script: Path) -> str:
    """The text; with a traceback or a message of argparse where the script fails."""
    sys.argv, sys.path[:], shown = [str(script), "--help"], [str(script.parent), *PATHS], io.StringIO()
    with redirect_stdout(shown), redirect_stderr(shown):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as exit_of:
            shown.write(f"exit status {exit_of.code}")
        except Exception:
            traceback.print_exc()
    for name, module in list(sys.modules.items()):
        if name != "__main__" and TESTS in Path(getattr(module, "__file__", None) or "/").parents:
            del sys.modules[name]
    return shown.getvalue()


def main(scripts: Sequence[str]) -> None:
    print(json.dumps({Path(script).stem: help_of(Path(script)) for script in scripts}))


if __name__ == "__main__":
    main(sys.argv[1:])
