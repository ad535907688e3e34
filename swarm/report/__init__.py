"""The report of a run: `report.html`, one self-contained file, and `report.md` beside it.

Everything shown is a function of the journal's records, the summary and what the config states (`weights`).
`score_table`, `search_curve`, `region`, `projection` and `examples` compute what is shown; `words` phrases it;
`figures/` draws it; `render` puts it on the page. Of a front and of floors, `front`, `front_curve` and `interference`
compute, and `front_page` puts it together. To add a figure: a function that draws it, a field of `Section` or
`Page`, a place in both templates.

May import: the core, the journal, statistics, preferences. Never in here: torch, transformers or Ray, so that a report
is rebuilt quickly and on any machine; anything that is not in the run's directory.
"""

from swarm.report.render import write_report

__all__ = ["write_report"]
