"""Figures of the report, as SVG.

`svg` has elements, scales and marks, `labels` places names, `front_marks` draws members of a front; `bars`, `curves`,
`swarm_map`, `heatmap`, `coefficient_bars`, `front_scatter`, `front_parallel`, `hypervolume` and `interference_heatmap`
have one function per figure, which takes typed data of `swarm.report` and returns a `Figure`. None of them reads a file
or computes a statistic.
"""
