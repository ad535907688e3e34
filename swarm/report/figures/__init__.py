"""Figures of the report, as SVG.

`svg` has elements, scales and marks, `labels` places names; `bars`, `curves`, `swarm_map`, `heatmap` and
`coefficient_bars` have one function per figure, which takes typed data of `swarm.report` and returns a `Figure`. None
of them reads a file or computes a statistic.
"""
