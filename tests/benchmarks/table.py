"""Runs every benchmark in a process of its own and writes docs/benchmarks.md: `make bench`.

    python tests/benchmarks/table.py dials logit_paths

runs these two alone; the page's other sections stay as they are. Every script in this folder that can be run is a
benchmark. The text of its section is the script's docstring.
Exit status 77 means that the script cannot run here; its last line says what to install.
"""

import argparse
import ast
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT, SKIPPED, number, say, verdict

from swarm.run.summarise import versions

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "benchmarks.md"
PACKAGES = ("peft", "numpy")
OWN_ENVIRONMENT = {"vllm_engine": ROOT / ".venv-vllm" / "bin" / "python"}
INTRODUCTION = """\
# Benchmarks

`python tests/benchmarks/table.py` writes this page, last on {date}. The two sides of a comparison alternate within one
run. Figures are medians over the repetitions; a ratio is the median of the ratios of repetitions adjacent in time. All
figures are from one shared machine, whose speed varies from minute to minute: the smallest and largest ratios show by
how much. Rows without a target give context to the others. Each section names its command, date and commit. Scripts of
`tests/benchmarks/` that are not listed were not run for this page. The results of discovery and studies have pages of
their own ([results](results/discovery.md)), those of nothing are in the [log](log.md), those of vLLM in
[vllm.md](vllm.md), and measurements that need a GPU are listed in [gpu-todo.md](gpu-todo.md).

- machine: {machine}
- versions: {versions}

{summary}
"""


@dataclass(frozen=True)
class Result:
    """What a script printed, or why it printed nothing.

    name: of the script, without ".py".
    lines: the JSON lines that it printed.
    status: its exit status.
    last_line: the last line that is no metric; the reason where the script failed or was skipped.
    provenance: its command, the date and the commit.
    """

    name: str
    lines: Sequence[Mapping[str, object]]
    status: int
    last_line: str
    provenance: str

    @property
    def outcome(self) -> str:
        if self.status == SKIPPED:
            return self.last_line
        return f"failed with status {self.status}: {self.last_line}" if self.status else ""


def scripts() -> list[str]:
    """The names of all benchmarks, in alphabetical order."""
    found = [path for path in sorted(HERE.glob("*.py")) if '__name__ == "__main__"' in path.read_text()]
    return [path.stem for path in found if path.stem != Path(__file__).stem]


def run_script(name: str, options: Sequence[str]) -> Result:
    """Run one script; its progress messages are passed on."""
    say(f"== {name}")
    python = OWN_ENVIRONMENT.get(name, Path(sys.executable))
    command = [str(python if python.exists() else sys.executable), str(HERE / f"{name}.py"), "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        lines, messages = [], [""]
        for line in process.stdout or ():
            if line.startswith('{"benchmark"'):
                lines.append(json.loads(line))
            elif line.strip():
                say(line.rstrip())
                messages.append(line.strip())
    call = " ".join([f"python tests/benchmarks/{name}.py", *options])
    provenance = f"`{call}`, {time.strftime('%Y-%m-%d')}, commit {commit()}"
    return Result(name, lines, process.returncode, messages[-1], provenance)


def kept(folder: Path, name: str) -> Result | None:
    """The result of an earlier run, from NAME.jsonl and NAME.origin in the folder; None where there is none."""
    file, provenance = folder / f"{name}.jsonl", folder / f"{name}.origin"
    if not file.is_file():
        return None
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return Result(name, lines, 0, "", provenance.read_text().strip() if provenance.is_file() else "")


def keep(folder: Path, result: Result) -> None:
    """Save a result where `kept` finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result.name}.origin").write_text(result.provenance + "\n")
    (folder / f"{result.name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in result.lines))


def page(results: Sequence[Result], before: str = "") -> str:
    """The page's text, sections in alphabetical order.

    before: the page so far; its sections of other scripts are kept.
    """
    known = {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in before.split("\n## ")[1:]}
    sections = dict(sorted((known | {result.name: section(result) for result in results}).items()))
    head = INTRODUCTION.format(
        date=time.strftime("%Y-%m-%d"), machine=machine(), versions=known_versions(), summary=summary(sections)
    )
    text = "\n".join([head, *sections.values()])
    for private in (str(ROOT), str(Path.home()), str(ROOT.parent)):
        text = text.replace(private, "...")
    return text


def summary(sections: Mapping[str, str]) -> str:
    """How many targets hold, and which do not. sections: the text by the script's name."""
    found = [
        (f"{name}: {metric}", judged)
        for name, text in sections.items()
        for metric, judged in re.findall(
            rf"^\| (.+?) \|.*\| ({verdict(True)}|{verdict(False)}) \|$", text, re.MULTILINE
        )
    ]
    failed = [metric for metric, judged in found if judged == verdict(False)]
    said = f"{len(found) - len(failed)} of {len(found)} targets hold."
    return f"{said} Missed: {'; '.join(failed)}." if failed else said


def section(result: Result) -> str:
    """One script's docstring, its metrics and their provenance."""
    doc = ast.get_docstring(ast.parse((HERE / f"{result.name}.py").read_text())) or ""
    parts = [f"## {result.name}", doc]
    if result.outcome:
        parts.append(f"No results: {result.outcome}")
    if result.lines:
        parts.append("\n".join(rows(result.lines)))
        parts += [result.provenance] if result.provenance else []
    return "\n\n".join(parts) + "\n"


def rows(lines: Sequence[Mapping[str, object]]) -> Iterator[str]:
    yield "| metric | value | target | |"
    yield "|---|---:|---|---|"
    for line in lines:
        holds = line["holds"]
        assert holds is None or isinstance(holds, bool)
        cells = (line["metric"], f"{number(float(str(line['value'])))} {line['unit']}", line["target"] or "")
        yield f"| {cells[0]} | {cells[1]} | {cells[2]} | {verdict(holds)} |"


def machine() -> str:
    """Processor, cores, memory, torch threads, accelerator."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [_processor(), f"{os.cpu_count()} cores", f"{memory:.0f} GiB", f"{torch.get_num_threads()} torch threads"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def known_versions() -> str:
    """The versions of all packages that affect a figure; lm-eval's from its own environment."""
    found = versions() | {package: importlib.metadata.version(package) for package in PACKAGES}
    if other := os.environ.get("SWARM_LMEVAL"):
        ask = "import importlib.metadata as m; print(m.version('lm_eval'))"
        found["lm-eval"] = subprocess.run([other, "-c", ask], capture_output=True, text=True).stdout.strip()
    return ", ".join(f"{name} {version}" for name, version in found.items())


def commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def result_of(name: str, options: Sequence[str], folder: Path | None) -> Result:
    """The result kept in the folder; without one the script is run, and its result kept if it succeeded."""
    before = kept(folder, name) if folder else None
    if before is not None:
        return before
    result = run_script(name, options)
    if folder and result.status == 0:
        keep(folder, result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[], help="benchmarks to run (default: all)")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page (default: docs/benchmarks.md)")
    parser.add_argument(
        "--kept", type=Path, default=None, help="folder of results: a script that has one is not run again"
    )
    arguments, options = parser.parse_known_args()
    unknown = [name for name in arguments.names if name not in scripts()]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}; known are {', '.join(scripts())}")
    results = [result_of(name, options, arguments.kept) for name in arguments.names or scripts()]
    before = arguments.output.read_text() if arguments.names and arguments.output.is_file() else ""
    arguments.output.write_text(page(results, before))
    say(f"wrote {arguments.output}")
    sys.exit(any(result.status not in (0, SKIPPED) for result in results))


if __name__ == "__main__":
    main()
