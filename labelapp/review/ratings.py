"""What the ledger holds for `agreement`: who said what of the same event, independently of each other.

Withdrawn decisions are left out everywhere. An expert who has seen another's label is no independent rater, so only
these count: a decision with the second opinions on it (one round), and the answers of all experts to one gold check
(one round as well). Adjudications weigh what others said, and are no ratings.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from labelapp.catalogue.models import Site
from labelapp.review.agreement import Estimate, Gold, Moved, cohen_kappa
from labelapp.review.models import Relabel
from labelapp.review.standing import LABELLING, standing

Kind = Relabel.Kind
# `site_id` too: a row without it is asked for again, one by one.
FIELDS = ("sequence", "site_id", "event_id", "expert_id", "expert_name", "kind", "to_code", "details", "prediction_id")
Round = dict[str, str]  # {expert: class code}


def rounds(site: Site, *, before_machine: bool = False) -> list[Round]:
    """What experts said of the same event without knowing of each other, a round each, two experts or more.

    Who could not tell is not in a round. `before_machine`: what they said before they saw the machine's opinion, where
    they did; with it in view they may agree with each other because each agreed with the machine. Of blind decisions
    an expert's first on the event counts: taken back and made again, it is blind no more.
    """
    first = _first_blind(site) if before_machine else {}
    rows = {row.sequence: row for row in standing(site.relabels.all()).only(*FIELDS)}
    found: dict[tuple[str, int], Round] = defaultdict(dict)
    for row in rows.values():
        if row.kind == Kind.BLIND:  # half an answer: the other half points to it
            continue
        about = rows.get(row.details.get("about", 0))
        if about and about.kind in LABELLING:
            found["about", about.sequence] |= _said(about, first) | _said(row, first)
        elif "gold" in row.details:
            found["gold", row.event_id] |= _said(row, first)
    return [ratings for ratings in found.values() if len(ratings) > 1]


def _first_blind(site: Site) -> dict[tuple[int, int], Relabel]:
    """{(event pk, expert pk): what the expert first said without the machine}, be it taken back since."""
    first: dict[tuple[int, int], Relabel] = {}
    for row in site.relabels.filter(kind=Kind.BLIND).order_by("sequence").only(*FIELDS):
        first.setdefault((row.event_id, row.expert_id), row)
    return first


def _said(row: Relabel, first: Mapping[tuple[int, int], Relabel]) -> Round:
    """What a row says, or what its expert said before it, by `_first_blind`, where they said it blindly."""
    if "blind" in row.details:
        row = first.get((row.event_id, row.expert_id), row)
    return {row.expert_name: row.to_code} if row.to_code else {}


def counted(found: Iterable[Round]) -> list[Counter[str]]:
    """Rounds as `fleiss_kappa` and `class_agreement` take them: {class: how many gave it}"""
    return [Counter(ratings.values()) for ratings in found]


def pairs(found: Iterable[Round]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """{(one expert, another): [(what one said, what the other said)]} of the rounds that both were in."""
    both: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for ratings in found:
        for one, other in combinations(sorted(ratings), 2):
            both[one, other].append((ratings[one], ratings[other]))
    return dict(sorted(both.items()))


def kappas(found: Iterable[Round]) -> dict[tuple[str, str], Estimate]:
    """Cohen's κ of every two experts who were in a round together."""
    return {experts: cohen_kappa(said) for experts, said in pairs(found).items()}


def moved(site: Site) -> list[Moved]:
    """Decisions made twice, before and after the machine's opinion was shown.

    Only an expert's first blind decision on an event counts: taken back and made again, it is blind no more.
    """
    first = _first_blind(site)
    finals = standing(site.relabels.exclude(kind=Kind.BLIND).filter(details__has_key="blind", prediction__isnull=False))
    found = []
    for row in finals.select_related("prediction__event_class").order_by("sequence"):
        before = first.get((row.event_id, row.expert_id))
        if before and before.sequence == row.details["blind"] and row.prediction:
            machine = row.prediction.event_class.code
            found.append(Moved(row.expert_name, before.to_code or None, machine, row.to_code or None))
    return found


def gold(site: Site) -> list[Gold]:
    """Answers to gold checks, each with the class that was known when it was given, oldest first."""
    rows = standing(site.relabels.filter(details__has_key="gold")).exclude(kind=Kind.BLIND).order_by("sequence")
    return [Gold(row.expert_name, row.details["gold"]["expected"], row.to_code or None) for row in rows.only(*FIELDS)]
