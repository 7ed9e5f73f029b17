"""A picture of what a representation holds: each window a point, those that are alike near each other.

python -m mlcore.pretrain.project ENCODER_DIR SOURCE --out map.json [--picture map.svg] [--method tsne|pca]

Principal components, and t-SNE (van der Maaten & Hinton 2008) on up to `LANDMARKS` windows; of a larger pool the others
are placed among their nearest landmarks, so that tens of thousands take minutes.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlcore.checkpoint import write_atomically
from mlcore.command import print_json, run, show_progress
from mlcore.errors import Cancelled
from mlcore.pretrain.fine_tune import features, mean_of_windows
from mlcore.pretrain.model import load_encoder
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.sources import add_source, read_source
from mlcore.traces import iso
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing

Floats = NDArray[np.float64]
LANDMARKS = 2000  # t-SNE takes the square of their number
COMPONENTS = 50  # of PCA before t-SNE, as its authors do
ITERATIONS, EXAGGERATED = 750, 250
EXAGGERATION = 12.0
NEAREST = 5  # landmarks that place another window
MANY_ROWS = 4  # times the features: then the covariance is the smaller problem
AT_ONCE = 4096  # rows
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")  # Okabe & Ito 2008


def project(
    values: Floats,
    *,
    method: str = "tsne",
    perplexity: float = 30.0,
    seed: int = 0,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> Floats:
    """Representations (n, features) → places (n, 2) within ±1. Raises Cancelled when `should_stop` says so."""
    reduced = principal_components(values, min(COMPONENTS, *values.shape))
    if method == "pca" or len(values) < 4:
        return _within_one(_two_columns(reduced))
    landmarks = _landmarks(len(values), seed)
    places = tsne(reduced[landmarks], perplexity, progress=progress, should_stop=should_stop)
    return _within_one(placed_among(reduced, reduced[landmarks], places))


def principal_components(values: NDArray[np.floating[Any]], count: int) -> Floats:
    """values (n, features) on their first components (n, count); the largest entry of each direction is positive.

    By the eigenvectors of the covariance where there are many more rows than features, which then takes no second
    copy of the values.
    """
    mean = values.mean(axis=0, dtype=np.float64)
    if len(values) > MANY_ROWS * values.shape[1]:
        directions = np.linalg.eigh(_covariance(values, mean))[1].T[::-1][:count]
    else:
        directions = np.linalg.svd(values - mean, full_matrices=False)[2][:count]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    found = np.empty((len(values), len(directions)))
    for first in range(0, len(values), AT_ONCE):
        found[first : first + AT_ONCE] = (values[first : first + AT_ONCE] - mean) @ (directions * signs[:, None]).T
    return found


def _covariance(values: NDArray[np.floating[Any]], mean: Floats) -> Floats:
    """values (n, features) → (features, features), summed over so many rows at a time, in float64"""
    total = np.zeros((values.shape[1], values.shape[1]))
    for first in range(0, len(values), AT_ONCE):
        part = values[first : first + AT_ONCE] - mean
        total += part.T @ part
    return np.asarray(total / len(values))


def tsne(
    values: Floats,
    perplexity: float = 30.0,
    *,
    iterations: int = ITERATIONS,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> Floats:
    """values (n, d) → places (n, 2), by the exact algorithm from the first two principal components.

    Momentum, gains and early exaggeration as in van der Maaten & Hinton 2008, section 3.4; learning rate
    n / exaggeration / 4, at least 50: Belkina et al. 2019. Deterministic.
    """
    p = torch.from_numpy(joint_probabilities(values, min(perplexity, (len(values) - 1) / 3))).float()
    start = _two_columns(principal_components(values, 2))
    y = torch.from_numpy(start / max(start[:, 0].std(), 1e-300) * 1e-4).float()
    step, gains = torch.zeros_like(y), torch.ones_like(y)
    rate = max(len(values) / EXAGGERATION / 4, 50.0)
    for iteration in range(iterations):
        if should_stop():
            raise Cancelled("The projection was cancelled.")
        early = iteration < EXAGGERATED
        gradient = kl_gradient(p * EXAGGERATION if early else p, y)
        gains = torch.where(gradient * step < 0, gains + 0.2, gains * 0.8).clamp_min(0.01)
        step = (0.5 if early else 0.8) * step - rate * gains * gradient
        y = y + step
        if (iteration + 1) % 50 == 0:
            progress(Progress("projecting", (iteration + 1) / iterations, {}, f"iteration {iteration + 1}"))
    return np.asarray((y - y.mean(dim=0)).double().numpy())


def joint_probabilities(values: Floats, perplexity: float) -> Floats:
    """How likely each pair are neighbours, (n, n), symmetric, of sum 1 and 0 on the diagonal

    p_j|i ∝ exp(−β_i ‖x_i − x_j‖²) with β_i such that the entropy is log(perplexity), p_ij = (p_j|i + p_i|j) / 2n
    """
    x = torch.from_numpy(values)
    distances = torch.cdist(x, x).square()
    distances.fill_diagonal_(torch.inf)
    beta = _precisions(distances, float(np.log(perplexity)))
    conditional = torch.softmax(-beta[:, None] * distances, dim=1)
    return np.asarray(((conditional + conditional.T) / (2 * len(values))).numpy())


def _precisions(distances: Tensor, entropy: float) -> Tensor:
    """β (n,) for which each row's probabilities have this entropy, by bisection of its logarithm."""
    scale = distances.masked_fill(distances.isinf(), 0).mean().clamp_min(1e-100).log()
    low, high = (torch.full((len(distances),), float(edge - scale), dtype=torch.float64) for edge in (-50.0, 50.0))
    for _ in range(60):
        middle = (low + high) / 2
        p = torch.softmax(-middle.exp()[:, None] * distances, dim=1)
        broad = torch.special.entr(p).sum(dim=1) > entropy
        low, high = torch.where(broad, middle, low), torch.where(broad, high, middle)
    return ((low + high) / 2).exp()


def kl_gradient(p: Tensor, y: Tensor) -> Tensor:
    """Gradient of KL(P‖Q) to the places y (n, 2), for p (n, n): van der Maaten & Hinton 2008, Eq. 5

    4 Σ_j (p_ij − q_ij)(y_i − y_j)(1 + ‖y_i − y_j‖²)⁻¹
    """
    size = y.square().sum(dim=1)
    kernel = torch.addmm(size[:, None] + size, y, y.T, alpha=-2).clamp_min_(0).add_(1).reciprocal_()  # by one product
    kernel.fill_diagonal_(0)
    weights = (p - kernel / kernel.sum()) * kernel
    return 4 * (weights.sum(dim=1, keepdim=True) * y - weights @ y)


def placed_among(values: Floats, known: Floats, places: Floats, at_once: int = AT_ONCE) -> Floats:
    """Each row at the mean of its nearest known rows' places, weighed by 1 / distance. → (n, 2)

    A row that is known itself keeps its place.
    """
    found = np.empty((len(values), places.shape[1]))
    landmarks, spots = torch.from_numpy(known), torch.from_numpy(places)
    for first in range(0, len(values), at_once):
        part = torch.from_numpy(values[first : first + at_once])
        distances, nearest = torch.cdist(part, landmarks).topk(min(NEAREST, len(known)), largest=False)
        weights = 1 / distances.clamp_min(1e-12)
        weights = weights / weights.sum(dim=1, keepdim=True)
        found[first : first + at_once] = (weights[:, :, None] * spots[nearest]).sum(dim=1).numpy()
    return found


def _landmarks(count: int, seed: int) -> NDArray[np.intp]:
    if count <= LANDMARKS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, LANDMARKS, replace=False))


def _two_columns(values: Floats) -> Floats:
    return np.pad(values[:, :2], ((0, 0), (0, max(2 - values.shape[1], 0))))


def _within_one(places: Floats) -> Floats:
    """Centred between the outermost points, and scaled alike in both directions."""
    centred = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray(centred / max(np.abs(centred).max(initial=0), 1e-300))


def points(pool: Pool, places: Floats) -> list[dict[str, Any]]:
    """Each window with its place, as values that JSON can hold."""
    return [
        {
            "x": round(float(x), 5),
            "y": round(float(y), 5),
            "station": fact.station,
            "starttime": iso(fact.starttime) if fact.starttime else None,
            "event_id": fact.event_id,
            "label": fact.label,
        }
        for fact, (x, y) in zip(pool.facts, places, strict=True)
    ]


def picture(places: Floats, labels: Sequence[str], size: int = 800) -> str:
    """The points as an SVG, coloured by label; windows without one are grey and lie behind."""
    names = sorted(set(labels) - {""})
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    spots = ((places * [1, -1] + 1) / 2 * (size - 20) + 10).round(1)
    order = sorted(range(len(labels)), key=lambda row: labels[row] != "")
    circle: Callable[[int], str] = lambda row: (  # noqa: E731
        f'<circle cx="{spots[row, 0]}" cy="{spots[row, 1]}" r="3" fill="{colours.get(labels[row], "#bbbbbb")}"/>'
    )
    legend = [
        f'<text x="{size + 10}" y="{24 * number + 24}" fill="{colours[name]}">● {escape(name)}</text>'
        for number, name in enumerate(names)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size + 200} {size}" font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *map(circle, order), *legend, "</svg>"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.pretrain.project", description=__doc__.split("\n")[0])
    parser.add_argument("encoder", metavar="ENCODER_DIR", help="what mlcore.pretrain.train wrote")
    add_source(parser, recipe=False)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json", help="each window with its place")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg")
    parser.add_argument("--method", choices=("tsne", "pca"), default="tsne")
    parser.add_argument("--perplexity", type=float, default=30.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    network, recipe, _ = load_encoder(options.encoder)
    pool, recipe, skipped = read_source(options, recipe)
    windows, y = features(network, pool, recipe, device=options.device)
    places = project(
        mean_of_windows(y, windows, len(pool)),
        method=options.method,
        perplexity=options.perplexity,
        progress=show_progress,
    )
    write_atomically(options.out, json.dumps(points(pool, places), ensure_ascii=False).encode())
    if options.picture:
        write_atomically(options.picture, picture(places, pool.labels).encode())
    print_json({"points": len(pool), "out": str(options.out), "skipped": skipped})


if __name__ == "__main__":
    run(main)
