"""Every error the program raises on purpose.

SwarmError
├── UserError          the user's mistake: key or file, value, remedy, in one line; exit code 2
│   ├── ConfigError    in the configuration
│   ├── DataError      in the examples
│   ├── ExpertError    in the base or an expert
│   └── RunError       in a run directory: locked, corrupt, unfinished
│       └── StrandedError  no worker to be had: nothing is wrong with the run; exit code 130, as it can be resumed
└── EvaluationError    one candidate could not be scored: becomes data, never a crash
    └── DeviceError    nor need the candidate be why: another worker may succeed
"""


class SwarmError(Exception):
    """Root of the tree."""


class UserError(SwarmError):
    """The user's mistake: one line that names the key or file, the value and the remedy."""


class ConfigError(UserError):
    """The configuration is wrong."""


class DataError(UserError):
    """An example, a data file or a split is wrong."""


class ExpertError(UserError):
    """The base or an expert cannot be used."""


class RunError(UserError):
    """A run directory cannot be used."""


class StrandedError(RunError):
    """A run has nobody to go on with, for now."""


class EvaluationError(SwarmError):
    """A candidate cannot be scored; the evaluator turns it into a failed evaluation."""


class DeviceError(EvaluationError):
    """The device failed over a candidate."""
