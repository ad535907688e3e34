"""The report of a run: `report.html`, one self-contained file, and `report.md` beside it.

Everything shown is a function of the journal's lines and the summary. `journal` and `summary` read them into
types; `facts`, `course` and `examples` work out the figures; `words` says them; `svg`, `plots` and `bars` draw
them; `render` puts them on the page. To add a figure: a function that draws it, a field of `Page`, a place in
both templates.
"""

from swarm.report.render import write_report

__all__ = ["write_report"]
