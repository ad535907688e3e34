"""Which candidate goes to which worker, when it is tried again, and how many workers there are.

In the order in which a candidate passes through:

- `coordinator.py`  the pool: passes events to dispatcher and membership, and carries out their orders
- `membership.py`   which workers to start, and how many may still be replaced
- `dispatcher.py`   which bundle goes to which worker, retries, speculative copies
- `queues.py`       bundles, and the attempts at each worker
- `deadlines.py`    how long a bundle may take, from a running median
- `events.py`       the seam: the `Backend` protocol and the events that it reports

May import `core`, `evaluation` and `workers/settings.py`. Ray, processes and the clock must never be used here: time
is an argument, workers are names. So a simulator in virtual time runs the same code as a cluster.
"""
