"""Workers as Ray actors.

In the order in which a search meets them:

- `connect.py`      checks that Ray listens at an address, and joins that cluster or starts Ray on this machine
- `probe_nodes.py`  asks every node for its report before a search; puts objects into Ray's store within a time limit
- `backend.py`      `RayBackend`: starts actors, sends them candidates, and turns what Ray returns into events
- `clock.py`        the clock of deadlines, which stands still while the process is stopped
- `actor.py`        the actor: one evaluator in a process of its own

May import `core`, `evaluation`, `workers/settings.py`, `workers/scheduling/events.py` and `workers/preflight`, and
torch for thread and device counts. Apart from `trackers/ray_metrics.py`, this is the only room that imports Ray. Must
never hold a decision about candidates or workers: `workers/scheduling` decides, and is tested without Ray.
"""
