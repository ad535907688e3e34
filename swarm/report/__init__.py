"""The report of a run: `report.html`, one self-contained file, and `report.md` beside it.

Everything shown is a function of the journal's lines, the summary and the objectives' weights, which `journal`,
`summary` and `weights` read into types. `facts`, `search_curve`, `region`, `plane` and `examples` work out the figures;
`words` says them; `bars`, `plots`, `swarm_map`, `heatmap` and `coefficient_bars` draw them with `svg`; `render` puts
them on the page. To add a figure: a function that draws it, a field of `Section` or `Page`, a place in both templates.
"""

from swarm.report.render import write_report

__all__ = ["write_report"]
