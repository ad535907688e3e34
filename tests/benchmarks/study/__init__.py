"""Model Swarms' own studies on the tiny zoo: the variants, one search, its statistics, the table of a page.

`studies.py` beside this folder runs them.
"""
