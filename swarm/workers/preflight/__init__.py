"""Checks before a search: how many workers the nodes hold, and whether each node has what a worker needs.

In the order in which they are used:

- `placement.py`    the number of workers and the size of each, from the nodes' resources
- `node_report.py`  what a node has: files, versions, free memory; runs on the node
- `checks.py`       compares what workers need with the nodes' reports

May import `core` and `workers/settings.py`; `node_report.py` imports the standard library alone, since it is sent to
nodes as it is. Ray must never be imported here: requirements and reports come in, an error or notes go out.
"""
