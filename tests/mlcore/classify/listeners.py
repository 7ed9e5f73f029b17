"""A classifier that needs no training: it hears whether a window rings at 3 Hz (quake) or 15 Hz (rockfall), or not."""

import torch
from torch import Tensor, nn

from mlcore.classify.predict import Classifier
from mlcore.config import PostProcessing, Preprocessing, Recipe

CLASSES = ["quake", "rockfall", "noise"]
RECIPE = Recipe(
    preprocessing=Preprocessing(
        sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, stft_length=50, stft_hop=20, components=("Z", "N")
    ),
    post_processing=PostProcessing(isolation_s=10.0),
)


class Listener(nn.Module):
    """x (n, components, freq, time) → logits (n, 3): each pitch against what all frequencies have in the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.loudness = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        heard = x.float().amax(dim=(1, 3))  # bins are 1 Hz apart
        mean = x.float().mean(dim=(1, 2, 3))[:, None]
        pitch = torch.cat([heard[:, [3]], heard[:, [15]]], dim=1) / (mean + 1e-9)
        return self.loudness * torch.cat([pitch - 12, torch.zeros_like(mean)], dim=1)


def listener(recipe: Recipe = RECIPE, classes: list[str] | None = None) -> Classifier:
    return Classifier(
        Listener(), {"classes": classes or CLASSES, "recipe": recipe.to_dict(), "weights_sha256": "0" * 64}
    )
