"""python -m tests.benchmarks.relevance: maps per second, float64 and batched, against zennit's own rules in float32."""

import copy
import time
from collections.abc import Callable

import numpy as np
import torch

from mlcore.checkpoint import model_files
from mlcore.classify.predict import Classifier, network_for
from mlcore.classify.relevance import EPSILON, explain
from mlcore.classify.zennit_compat import Activation, AvgPool, Composite, Convolution, Epsilon, Linear, Pass
from mlcore.config import Recipe

EVENTS, ROUNDS = 16, 5
CLASSES = ["earthquake", "quake", "rockfall", "noise"]


def main() -> None:
    """Both classes of some events, their account and their difference, the two ways in turns."""
    model = untrained()
    p = model.recipe.preprocessing
    windows = np.random.default_rng(0).standard_normal((EVENTS, len(p.components), p.window_samples))
    targets = np.tile([0, 1], (EVENTS, 1))

    def ours() -> None:
        explain(model, windows, targets).against(0, 1)

    network = copy.deepcopy(model.model).requires_grad_(False)
    with Composite(module_map=zennits_rule).context(network):

        def one_by_one() -> None:
            for row in range(EVENTS):
                inputs = model.inputs(windows[row : row + 1]).requires_grad_()
                for target in targets[row]:
                    logits = network(inputs)
                    seed = torch.zeros_like(logits)
                    seed[0, target] = logits[0, target].detach()
                    torch.autograd.grad(logits, inputs, seed)

        fast, slow = fastest_in_turns(ours, one_by_one)
    maps = 2 * EVENTS
    print(
        f"LRP-ε maps in float64 with their account, two classes an event, their difference free: {maps / fast:,.0f} "
        f"maps/s, {slow / fast:.2f} × zennit in float32, one event, one class a call ({maps / slow:,.0f} maps/s); "
        f"{torch.get_num_threads()} threads"
    )


def zennits_rule(context: dict, name: str, module: torch.nn.Module) -> object:
    """zennit's own hooks for pure LRP-ε."""
    if isinstance(module, Activation):
        return Pass()
    return Epsilon(EPSILON) if isinstance(module, (Convolution, Linear, AvgPool)) else None


def fastest_in_turns(*ways: Callable[[], None]) -> list[float]:
    """Seconds of each way at its best. In turns, so that a busy machine is busy for all."""
    rounds = []
    for _ in range(ROUNDS + 1):
        rounds.append([])
        for way in ways:
            start = time.perf_counter()
            way()
            rounds[-1].append(time.perf_counter() - start)
    return [min(times) for times in zip(*rounds[1:], strict=True)]  # the first round warms up


def untrained() -> Classifier:
    recipe = Recipe()
    torch.manual_seed(0)
    network = network_for(recipe, len(CLASSES))
    return Classifier.from_files(model_files(network, {"classes": CLASSES, "recipe": recipe.to_dict()}))


if __name__ == "__main__":
    main()
