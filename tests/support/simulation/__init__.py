"""A cluster in virtual time. One seed fixes every delay, crash, preemption, late answer and kill of the driver.

    random_streams.py     random generators by seed and name
    scenario.py           what a seed decides: the cluster, the search, and the faults of both
    machines.py           workers, nodes and the attempts at each
    faults.py             how an attempt ends
    timeline.py           virtual time: future actions, and batches of events
    sim_backend.py        a `Backend` made of these
    checked_optimizer.py  an optimizer that checks that its results are on disk
    driver.py             a whole search whose sessions are killed, over a journal on disk
    invariants.py         what must hold whatever happens
    mutants.py            bugs that the invariants must find
    check.py              check(seed): run, check, report
    scale.py              searches of thousands of evaluations, metered

Coordinator, dispatcher, membership, search, archive and journal are the program's own. To repeat a seed:
`python tests/benchmarks/simulator.py --seed 17 --trace`.
"""
