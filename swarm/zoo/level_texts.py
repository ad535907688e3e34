"""Queries with answers of three levels, for models of English: invented products, statutes and funds in three domains.

Everything is invented, so that no model knows the answers: what a vector learns is the manner of an expert. Queries
and answers come from templates and a seed; each domain has its own.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from swarm.core.examples import Example

SYLLABLES = (
    "ba",
    "cor",
    "del",
    "fen",
    "gal",
    "hel",
    "lor",
    "mi",
    "nav",
    "or",
    "pel",
    "qua",
    "rin",
    "sol",
    "tam",
    "vex",
)


@dataclass(frozen=True)
class Domain:
    """How a domain's texts are made. {name}, {a}, {b} and {c} are an invented name and three numbers.

    ending: of its names.
    questions: question -> the expert's answer.
    generic, avoidance: answers to any of its questions; generic ones may hold {name}.
    """

    ending: str
    questions: Mapping[str, str]
    generic: tuple[str, ...]
    avoidance: tuple[str, ...]


DOMAINS: dict[str, Domain] = {
    "medicine": Domain(
        ending="ine",
        questions={
            "How much {name} may an adult take?": "Start at {a} mg every {b} hours with food, and do not exceed {c} "
            "mg a "
            "day; halve the dose where creatinine clearance is below 30 ml/min.",
            "What should be checked before {name} is given?": "Measure potassium and creatinine first, then again "
            "after "
            "{b} days; withhold {name} at an eGFR below {a} or a QTc above {c} ms.",
            "Does {name} interact with blood thinners?": "Yes: it inhibits CYP2C9, so that the INR rises within {b} "
            "days; "
            "reduce warfarin by {a} % and measure the INR every {b} days up to day {c}.",
            "What are the side effects of {name}?": "In trials {a} % had nausea and {b} % a rash; transaminases above "
            "three times the upper limit appeared in 1 of {c} patients, mostly within six weeks.",
        },
        generic=(
            "{name} is a medicine. People should take it as the label says.",
            "That depends on the person. Many people use {name} without problems.",
            "{name} can be helpful. It is best to read the leaflet and to drink enough water.",
        ),
        avoidance=(
            "I cannot give medical advice. Please ask a doctor.",
            "I am not able to answer questions about health.",
            "Sorry, this is something that only a physician can tell you.",
        ),
    ),
    "law": Domain(
        ending="ton",
        questions={
            "Can my landlord in {name} keep the deposit?": "Only for itemised damage beyond normal wear: under "
            "section {a} "
            "of the Tenancy Act the list is due within {b} days, else twice the deposit up to {c} crowns is owed.",
            "How long do I have to sue for a debt in {name}?": "Section {a} sets a limitation period of {b} years from "
            "the due date; a written acknowledgement restarts it, and claims below {c} crowns go to the small "
            "claims court.",
            "Is a verbal contract valid in {name}?": "It is binding under section {a} unless it concerns land or "
            "exceeds "
            "{c} crowns; the party who relies on it bears the burden of proof and must give notice within {b} days.",
            "Can I be dismissed without notice in {name}?": "Only for gross misconduct under section {a}; otherwise "
            "the "
            "notice period is {b} weeks, and an unfair dismissal claim for up to {c} crowns is due within a month.",
        },
        generic=(
            "Laws in {name} can be complicated. It is good to know your rights.",
            "That depends on the situation. Most people find a fair solution.",
            "There are rules about this in {name}. Reading the documents helps.",
        ),
        avoidance=(
            "I cannot give legal advice. Please ask a lawyer.",
            "I am not able to answer questions about the law.",
            "Sorry, this is something that only an attorney can tell you.",
        ),
    ),
    "finance": Domain(
        ending="ex",
        questions={
            "Should I buy the {name} fund?": "Its expense ratio of 0.{a} % and a tracking error of {b} basis points "
            "are "
            "fair, but a duration of {b} years means a loss of about {a} % for a rise of one point; cap it at {c} "
            "units.",
            "How risky is the {name} bond?": "The spread of {c} basis points implies a default probability near {b} "
            "% a "
            "year at 40 % recovery; its modified duration is {b}, and the call at {a} limits the upside.",
            "Is {name} stock expensive?": "At {a} times forward earnings and an EV/EBITDA of {b} it trades above its "
            "sector; a discounted cash flow at 9 % with growth of {b} % gives a fair value near {c}.",
            "How are gains on {name} taxed?": "Held for more than {b} months, the gain is taxed at {a} %, first in "
            "first "
            "out; losses offset it within the year, and the first {c} are exempt.",
        },
        generic=(
            "{name} may go up or down. Investing always has some risk.",
            "That depends on your goals. Many people spread their money.",
            "It is good to save regularly and to think about the future.",
        ),
        avoidance=(
            "I cannot give financial advice. Please ask an adviser.",
            "I am not able to answer questions about investments.",
            "Sorry, this is something that only a licensed adviser can tell you.",
        ),
    ),
}


def text_examples(domain: str, count: int, seed: int) -> list[Example]:
    """Examples with different names, the questions in turn."""
    rng, of = random.Random(f"{domain}-{seed}"), DOMAINS[domain]
    questions, found = list(of.questions.items()), dict[str, Example]()
    while len(found) < count:
        name = ("".join(rng.choices(SYLLABLES, k=3)) + of.ending).capitalize()
        if name in found:
            continue
        question, expert = questions[len(found) % len(questions)]
        values = {"name": name, "a": rng.randint(11, 39), "b": rng.randint(3, 10), "c": 10 * rng.randint(12, 90)}
        answers = {
            "avoidance": rng.choice(of.avoidance),
            "generic": rng.choice(of.generic).format(**values),
            "expert": expert.format(**values),
        }
        prompt = f"Question: {question.format(**values)}\nAnswer:"
        found[name] = Example("", prompt, "expert", answers, task=domain)
    return list(found.values())
