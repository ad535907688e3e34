"""The views of `swarm ui`, as HTML. What a run holds reaches a page through Jinja's escaping alone."""

import re
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from swarm.core.errors import RunError, UserError
from swarm.core.terminal_text import escaped_output
from swarm.journal.archive import Archive
from swarm.report.render import rendered
from swarm.run.comparing import compared
from swarm.run.directory import JOURNAL, is_finished, read_summary
from swarm.run.listing import ListedRun, listed_run
from swarm.run.lock import in_use
from swarm.web.watcher import Cached, Shelf, stamp_of

REPORT = "report.html"
# The report allows no script; here the server's headers say what a page may load.
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
SCRIPT = '<script src="/live.js" defer></script>'


class Pages:
    """The pages of a shelf of runs, kept until a run changes."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._reports = Cached[str]()
        self._listed = Cached[ListedRun](most=10_000)

    def index(self) -> str:
        """The list of all runs, the one that was written last first."""
        runs = self.shelf.runs()
        latest = sorted(runs, key=lambda name: -_written(runs[name]))
        listed = [
            (name, self._listed.get(name, stamp_of(path), partial(listed_run, path)))
            for name in latest
            for path in [runs[name]]
        ]
        return _render("runs.html", runs=listed, folders=[str(folder) for folder in self.shelf.folders])

    def run(self, name: str) -> str | None:
        """The report of a run as it stands; None where there is no such run."""
        path = self.shelf.runs().get(name)
        if path is None:
            return None
        return self._reports.get(name, stamp_of(path), partial(_report, path))

    def compared(self, first: str, second: str) -> str | None:
        """Two runs beside each other; None where there are no such runs."""
        runs = self.shelf.runs()
        if first not in runs or second not in runs:
            return None
        try:
            return _render("compared.html", names=(first, second), found=compared(runs[first], runs[second]))
        except UserError as error:
            return failed(str(error))


def _written(folder: Path) -> float:
    """When something was last written into a run."""
    journal = folder / JOURNAL
    return (journal if journal.is_file() else folder).stat().st_mtime


def failed(problem: str) -> str:
    """A page that says what is wrong."""
    return _render("problem.html", problem=problem)


def _report(path: Path) -> str:
    try:
        archive = Archive(path / JOURNAL)
        if archive.start is None:
            raise RunError("nothing has been scored yet")
        summary = read_summary(path, archive) if is_finished(path) else None
        text = rendered(path, archive.records, summary, (REPORT,), in_use(path))[REPORT]
    except UserError as error:
        return failed(str(error))
    bar = _environment().get_template("bar.html").render()
    return POLICY.sub("", text, count=1).replace("<body>", f"<body>{bar}", 1).replace("</body>", f"{SCRIPT}</body>", 1)


def _render(template: str, **values: object) -> str:
    environment = _environment()
    environment.finalize = escaped_output()  # by the secrets that the environment holds now
    return environment.get_template(template).render(**values)


@cache
def _environment() -> Environment:
    loader = PackageLoader("swarm.web")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    css = Environment(loader=PackageLoader("swarm.report"), autoescape=True).get_template("report.css").render()
    environment.globals["css"] = css
    environment.filters["address"] = lambda name: quote(str(name), safe="")
    return environment
