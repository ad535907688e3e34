"""Coordinates of a routed run that are no expert's: they say how its router is used (compositions/routed.py)."""

from collections.abc import Collection

ROUTER = "router."  # what their names begin with
STRENGTH = "router.strength"  # a coordinate that acts from 0 to 1 alone
BIAS = "router.bias."  # of an expert, which the name ends with


def router_names(names: Collection[str]) -> tuple[str, ...]:
    """Those of the router among the names of coordinates; none where there is no router.

    Experts may have names like theirs: a run without a router has no strength, and with one every expert has a bias.
    """
    if STRENGTH not in names:
        return ()
    return tuple(name for name in names if name.startswith(ROUTER) and f"{BIAS}{name}" not in names)
