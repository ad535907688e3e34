"""What may be claimed of a front and of floors, in sentences: for the report, the terminal and the model card."""

from swarm.journal.front_summary import FloorKept, FrontSummary, Member
from swarm.statistics.intervals import Score
from swarm.statistics.wording import baseline_name, signed

NAMED = 4  # baselines; more are counted
LONG = 1000  # from here on, a bound has no decimals
UNSHOWN = "no front wider than the baselines’ is demonstrated"


def is_baseline(id: str) -> bool:
    """Whether an id is that of a baseline: "base", "expert:maths" or "uniform:0.5"."""
    return id.partition(":")[0] in ("base", "expert", "uniform")


def member_name(id: str) -> str:
    """A member in words that can follow "than": "candidate 12-3", "expert maths", "uniform weights, 0.5 each"."""
    kind, _, scale = id.partition(":")
    if kind == "uniform" and scale:
        return f"uniform weights, {scale} each"
    return baseline_name(id) if is_baseline(id) else f"candidate {id}"


def undominated(front: FrontSummary) -> list[Member]:
    """The members that no other one dominates with significance on the select split."""
    return [member for member in front.members if not member.dominated_by]


def coverage_claim(front: FrontSummary) -> str:
    """What the front gives over the baselines, on test, without a full stop; "" where it is not known."""
    ours, theirs, gain = front.hypervolume.get("test"), front.baselines, front.gain
    if ours is None or theirs is None or gain is None:
        return ""
    change = f"{'+' if gain.difference > 0 else ''}{number(gain.difference)}, {interval(gain.low, gain.high)}"
    covered = f"a hypervolume of {number(ours.mean)}, the baselines alone {number(theirs.mean)}"
    found = f"on test the front covers {covered}: {change}"
    return found if gain.low > 0 else f"{UNSHOWN}: {found}"


def members_words(front: FrontSummary) -> str:
    """How many members there are, and how many of them are baselines."""
    every = undominated(front)
    if len(every) == 1:
        return f"one member, {member_name(every[0].id)}, dominates the others or cannot be told from them"
    baselines = [member_name(member.id) for member in every if is_baseline(member.id)]
    named = f": {', '.join(baselines)}" if len(baselines) <= NAMED else ""
    how_many = "one of them a baseline" if len(baselines) == 1 else f"{len(baselines)} of them baselines"
    of_these = f" ({how_many}{named})" if baselines else ""
    return f"{len(every)} members{of_these}, none of which dominates another with significance on the select split"


def looks_words(front: FrontSummary) -> str:
    """By how much a front looks larger where it was searched than on fresh examples; "" where it is not known."""
    searched, tested = front.hypervolume.get("search"), front.hypervolume.get("test")
    if searched is None or tested is None:
        return ""
    if tested.mean <= 0:
        return f"the front covers {number(searched.mean)} on the search split and nothing on the test split"
    share = 100 * (searched.mean / tested.mean - 1)
    size = f"{abs(share):.1f} % {'larger' if share >= 0 else 'smaller'}"
    scores = f"{scored(searched)} against {scored(tested)}"
    return f"the front looks {size} on the search split, by which it was sought, than on the test split: {scores}"


def scored(score: Score) -> str:
    """ "0.912 (0.859 to 0.956)"."""
    return f"{number(score.mean)} ({number(score.low)} to {number(score.high)})"


def floors_words(front: FrontSummary, delivered: str) -> str:
    """Whether the delivered one keeps the floors. "" where there are none."""
    member = next((each for each in front.members if each.id == delivered), None)
    if not front.floors:
        return ""
    details = "; ".join(_kept(name, front.floors[name], member) for name in front.floors) if member else ""
    if front.kept:
        return f"{member_name(delivered)} keeps every floor on the select split{f': {details}' if details else ''}"
    what = f"the nearest one, {member_name(delivered)}, was delivered instead"
    return f"no candidate keeps the floors: {what}{f' ({details})' if details else ''}"


def bound_words(floor: str, found: FloorKept) -> str:
    """A lower bound as its floor is given: a score, or what is added to the base's."""
    if not floor.startswith("base"):
        return signed(found.low, ".3f" if abs(found.low) < LONG else ".4g")
    return f"base {'-' if found.low < 0 else '+'} {abs(found.low):.3g}"


def number(value: float) -> str:
    """A hypervolume, in the product of the scores' units, or a reference."""
    return signed(value, "#.3g").removesuffix(".") if value else "0"


def interval(low: float, high: float) -> str:
    return f"95 % interval {number(low)} to {number(high)}"


def _kept(name: str, floor: str, member: Member) -> str:
    found = member.floors.get(name)
    if found is None:
        return f"{name}: floor {floor}"
    return f"{name}: lower bound {bound_words(floor, found)}, floor {floor}{'' if found.kept else ', not kept'}"
