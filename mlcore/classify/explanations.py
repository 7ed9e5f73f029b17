"""What is stored of each map of a window, in numbers that JSON holds: what it says, and whether to believe it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mlcore.classify.faithfulness import deletion_check
from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import Floats, Relevance
from mlcore.classify.summary import summarise

TOP_ATTRIBUTES = 5


def explanations(
    classifier: Classifier,
    targets: Sequence[str],
    relevance: Relevance,
    given: tuple[Tensor, Tensor],
    event_s: tuple[float, float],
) -> list[dict[str, Any]]:
    """The facts of one window's maps: one for each target class, then one for the first against the second.

    `relevance` is of this window and these targets; `given` is the network's input, a map (components, freq, time) and
    attributes (a,). Keys: target, against (the class whose logit is subtracted, or None); logit = map + attributes +
    biases + stabiliser up to `error`; biases_share and attributes_share of the logit (None where it is 0);
    top_attributes [{name, relevance}]; `summarise`'s shares and text; `deletion_check`'s answer as `deletion`.
    """
    pairs: list[tuple[int, int | None]] = [(column, None) for column in range(len(targets))]
    parts = [relevance.only(column) for column in range(len(targets))]
    if len(targets) > 1:
        pairs.append((0, 1))
        parts.append(relevance.against(0, 1))
    checks = deletion_check(
        classifier.model,
        given[0],
        np.concatenate([part.maps[0] for part in parts]),
        np.stack([_seed(classifier.classes, targets, pair) for pair in pairs]),
        given[1],
    )
    return [
        {
            "target": targets[first],
            "against": None if second is None else targets[second],
            **account(part),
            "top_attributes": _top_attributes(classifier, part.attributes[0, 0]),
            **summarise(part.maps[0, 0], classifier.recipe, event_s, "the class" if second is None else "the former"),
            "deletion": check,
        }
        for (first, second), part, check in zip(pairs, parts, checks, strict=True)
    ]


def account(part: Relevance) -> dict[str, float | None]:
    """Where the logit of one map went."""
    logit, biases = float(part.logits[0, 0]), float(part.biases[0, 0])
    attributes = float(part.attributes[0, 0].sum())
    return {
        "logit": logit,
        "map": float(part.maps[0, 0].sum()),
        "attributes": attributes,
        "biases": biases,
        "stabiliser": float(part.stabiliser[0, 0]),
        "error": float(part.error[0, 0]),
        "biases_share": biases / logit if logit else None,
        "attributes_share": attributes / logit if logit else None,
    }


def _seed(classes: Sequence[str], targets: Sequence[str], pair: tuple[int, int | None]) -> Floats:
    seed = np.zeros(len(classes))
    seed[classes.index(targets[pair[0]])] += 1
    if pair[1] is not None:
        seed[classes.index(targets[pair[1]])] -= 1
    return seed


def _top_attributes(classifier: Classifier, relevance: Floats) -> list[dict[str, Any]]:
    names = classifier.attribute_names
    largest = np.argsort(-np.abs(relevance), kind="stable")[:TOP_ATTRIBUTES]
    return [{"name": names[i], "relevance": float(relevance[i])} for i in largest]
