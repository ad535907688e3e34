"""Many workers and one coordinator: candidates go in, outcomes come out, whatever happens to the workers.

    fleet.py        the seam: what workers are asked for, and what they tell
    dispatcher.py   which candidates go to which worker, when they are tried again, when a second copy is started
    limits.py       how long a bundle may take (pace.py), queues.py what lies at each worker
    roster.py       which workers there should be, and how many may still be replaced
    coordinator.py  the pool: hands what the fleet tells to the two above, and their orders to the fleet
    ray_fleet.py    workers as Ray actors (worker.py); with connect.py the only ones that know Ray, beside probes.py
    sharing.py      how many workers the nodes hold, and what each gets
    preflight.py    whether every node has what a worker needs; probes.py asks the nodes

Coordinator, dispatcher and roster know neither Ray nor the clock: the tests' simulator runs the same code.
"""
