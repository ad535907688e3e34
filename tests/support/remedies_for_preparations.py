"""What the messages about preparations say to do."""

from support.remedy_steps import Remedy, put, without

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "unknown-preparation": (put("prepare.type", "ties"),),
    "density-of-nothing": (put("prepare.density", 0.5),),
    "no-density": (put("prepare.density", 0.5),),
    "gamma-of-dare": (without("prepare.gamma"),),
    "magprune-beyond-one": (put("prepare.epsilon", 0.05),),
    "elected-each-time": (put("prepare.elect", "once"),),
    "prepared-by-two-rules": (put("experts.1.prepare", {"type": "ties", "density": 0.5}),),
}
