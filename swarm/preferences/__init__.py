"""What makes one evaluation better than another, and how one member of a front is chosen.

It may import core alone: journal, search, evaluation and reports all compare by it, so it knows none of them.

`weighted_sum` is the utility of a search. `RULES` are the rules of choice: each ranks the members of a finished
search's front (`members.Members`). `reading` reads one from the command line, `front` says what a front is, `plural`
what several members would gain over one, and `context_map` turns preferences into coefficients.

To add a rule, write one file and one line:
1. Write one file here with a class that has a `type: Literal["its_name"]`, its settings as fields, each with a
   description. Derive it from `WeightedRule` (base.py) if objectives have weights in it, else from `Rule`.
2. Give it `criteria`: an array with a row for each member and a column for each criterion, higher is better, the first
   one deciding. Compare `members.normalised_gains_MK`, unless the unit of the scores is meant. Give it `inputs`: what
   it used, in words and numbers, for the record of a decision.
3. Override `check` where it can name what is not there, and `value` where its first criterion is not what it maximises.
   If it has a mapping of names other than weights, say so in `names`; if it reads single examples, in
   `needs_examples`; if it reads groups, in `reads_groups`.
4. Import the class here and add its line to RULES. The command line's `--select` and the tests that all rules must pass
   (tests/preferences/test_choice_rules.py) take it from there.
"""

from swarm.preferences.base import Rule
from swarm.preferences.cvar import CVaR
from swarm.preferences.knee import Knee
from swarm.preferences.lexicographic import Lexicographic
from swarm.preferences.linear import WeightedSum
from swarm.preferences.members import Members
from swarm.preferences.pama import PAMA
from swarm.preferences.power_means import Nash, PMean
from swarm.preferences.tchebycheff import Tchebycheff
from swarm.preferences.voting import Borda, Copeland
from swarm.preferences.worst_off import Egalitarian, Leximin

RULES: dict[str, type[Rule]] = {
    "weighted_sum": WeightedSum,
    "tchebycheff": Tchebycheff,
    "knee": Knee,
    "lexicographic": Lexicographic,
    "egalitarian": Egalitarian,
    "leximin": Leximin,
    "nash": Nash,
    "p_mean": PMean,
    "cvar": CVaR,
    "borda": Borda,
    "copeland": Copeland,
    "pama": PAMA,
}

__all__ = ["RULES", "Members", "Rule"]
