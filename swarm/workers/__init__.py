"""Workers that score candidates: one in this process, or many on a Ray cluster. They survive the loss of any of them.

In the order in which a candidate passes through:

- `settings.py`   the config's section `cluster`
- `preflight/`    before the search: how many workers the nodes hold, and whether each node has what a worker needs
- `pool.py`       the interface that a search sees: candidates go in, outcomes come out; and the pool in this process
- `scheduling/`   the pool of a cluster: which candidate goes to which worker, and when it is tried again
- `ray/`          workers as Ray actors

May import `core` and `evaluation`. Must never hold anything that decides a score: what a candidate scores does not
depend on the number of workers, nor on which of them fail.
"""
