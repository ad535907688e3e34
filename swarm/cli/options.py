"""What several commands take. Light: it loads no library but typer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help="a YAML file, or a shipped example", show_default=False)
]
BaseOption = Annotated[str, typer.Option("--base", help="without CONFIG: a local folder, a hub id, or zoo:NAME")]
ExpertsOption = Annotated[
    list[str] | None,
    typer.Option("--experts", metavar="PATTERN", help="without CONFIG: experts, as in 'adapters/*'; may be repeated"),
]
DataOption = Annotated[str, typer.Option("--data", metavar="FILE", help="without CONFIG: the labelled examples")]
FromMergekit = Annotated[
    Path | None,
    typer.Option("--from-mergekit", metavar="FILE", help="without CONFIG: a configuration of mergekit-evolve"),
]
TaskPath = Annotated[
    str, typer.Option("--task-search-path", metavar="DIR", help="task files of lm-eval that --from-mergekit names")
]
InitBase = Annotated[str, typer.Option("--base", help="a local folder, a hub id, or zoo:NAME")]
InitExperts = Annotated[
    list[str] | None, typer.Option("--experts", metavar="PATTERN", help="as in 'adapters/*'; may be repeated")
]
InitData = Annotated[str, typer.Option("--data", metavar="FILE", help="the labelled examples")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="the directory of a run")]
NewRunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="a new directory for the run; default: runs/CONFIG-TIME")
]
Select = Annotated[
    str,
    typer.Option(
        "--select",
        metavar="RULE",
        help="choose from the run's front: knee, nash, weighted_sum:helpful=0.7,safe=0.3, ...",
    ),
]
Compare = Annotated[
    str, typer.Option(metavar="WHAT", help="with --select: means or lower_bounds; default: as the run has it")
]
Groups = Annotated[
    str, typer.Option(metavar="A,B", help="with --select: the groups of the data that the rule hears; default: all")
]
By = Annotated[str, typer.Option(metavar="NAME", help="who decides, for decisions.jsonl")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


@dataclass(frozen=True)
class Files:
    """What stands in for a config: base, patterns of experts, and a data file; as given, or empty.

    mergekit: a configuration of mergekit-evolve, in place of the three. tasks: the folder of its task files, or "".
    """

    base: str
    experts: Sequence[str]
    data: str
    mergekit: Path | None = None
    tasks: str = ""

    @property
    def missing(self) -> list[str]:
        values = {"--base": self.base, "--experts": self.experts, "--data": self.data}
        return [option for option, value in values.items() if not value]
