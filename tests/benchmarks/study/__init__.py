"""Model Swarms' own studies on the tiny zoo: variants of a search, one search, its numbers, a page's table.

`studies.py` beside this folder runs them.
"""
