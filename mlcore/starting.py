"""Between pretraining and a classifier that begins with its encoder: what both must say alike. Needs no torch.

The systems never import each other. An encoder comes here as its recipe in plain values, and its weights go through
`mlcore.stft_cnn` as a plain table of tensors.
"""

import math
from collections.abc import Mapping
from typing import Any

from mlcore.config import Recipe
from mlcore.errors import BadConfiguration

# What the weights depend on. The rest of `settings_of` may differ: another window, other components, another filter.
DECISIVE = {
    "pool": ("sampling_rate_hz", "band_hz", "normalise"),
    "spectrogram": ("image", "window_s", "overlap", "window", "logarithm"),
    "encoder": ("name", "kernels", "blocks"),
}


def settings_of(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """What a pretraining says, section by section, so that its encoder sees what this classifier sees.

    One component at a time: the encoder is a member of the classifier with one channel.
    """
    given, network = recipe.preprocessing, recipe.network
    return {
        "pool": {
            "sampling_rate_hz": given.sampling_rate_hz,
            "components": list(given.components),
            "band_hz": list(given.band_hz),
            "filter_order": given.filter_order,
            "zero_phase": given.zero_phase,
            "detrend": given.detrend,
            "taper": given.taper,
            "window_s": given.window_s,
            "step_s": given.window_s / 2,
            "maximum_gap": given.maximum_gap,
            "normalise": {"window": "window", "component": "channel"}[given.normalise],
        },
        "spectrogram": {
            "image": "stft",
            "window_s": given.stft_length / given.sampling_rate_hz,
            "overlap": (given.stft_length - given.stft_hop) / given.stft_length,
            "window": given.stft_window,
            "band_hz": list(given.band_hz),
            "logarithm": {"log": "relative", "magnitude": "none"}[given.input],
        },
        "encoder": {"name": "stft_cnn", "kernels": network.width, "blocks": network.blocks},
    }


def require_fits(encoder: Mapping[str, Any], recipe: Recipe) -> None:
    """Raises BadConfiguration, naming every difference, where a classifier of this recipe cannot begin with an encoder.

    `encoder` is the recipe that it was pretrained by, in plain values.
    """
    wanted = settings_of(recipe)
    differences = [
        f"{section}.{name} is {_said(found)}, but {_said(wanted[section][name])} is needed"
        for section, names in DECISIVE.items()
        for name in names
        if not _same(found := (encoder.get(section) or {}).get(name), wanted[section][name])
    ]
    if differences:
        raise BadConfiguration(
            f"A classifier of this recipe cannot begin with the encoder: {'; '.join(differences)}. Pretrain one by "
            "this recipe, choose another, or start without one."
        )


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return (
            isinstance(found, list | tuple)
            and len(found) == len(wanted)
            and all(_same(f, w) for f, w in zip(found, wanted, strict=True))
        )
    if isinstance(wanted, float):
        return isinstance(found, int | float) and math.isclose(found, wanted, rel_tol=1e-9)
    return bool(found == wanted)


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "–".join(_said(each) for each in value)
    return f"{value:g}" if isinstance(value, int | float) else repr(value)
