"""The STFT-CNN: what Jiang et al. 2024 (section 4.1) call a VGG-like network, sized for two cores.

Layers are plain modules (no BatchNorm, no functional pooling), so that LRP-ε finds a rule for each of them.
"""

import torch
from torch import Tensor, nn

from mlcore.config import Network

FREQUENCY_CELLS = 8  # what three halvings leave of Jiang's 65 frequencies


class STFTClassifier(nn.Module):
    """x (batch, channels, freq, time) → logits (batch, classes)

    Blocks of two convolutions and a maximum, then an average over time: what counts is which frequencies appear in
    which pattern, not at which second of the window. Frequencies keep their place, for pitch tells a quake (below
    20 Hz) from a rockfall (above). With three channels and four classes: 138,000 parameters.
    """

    def __init__(self, channels: int, classes: int, network: Network):
        super().__init__()
        widths = [network.width * 2**block for block in range(network.blocks)]
        blocks = [conv_block(before, after) for before, after in zip([channels, *widths], widths, strict=False)]
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d((FREQUENCY_CELLS, 1))
        logits = nn.Linear(2 * widths[-1], classes)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-1] * FREQUENCY_CELLS, 2 * widths[-1]),
            nn.ReLU(),
            nn.Dropout(network.dropout),
            logits,
        )
        self.apply(_initialise)
        nn.init.normal_(logits.weight, std=0.01)  # so that an untrained network prefers no class

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(self.features(x))  # (batch, last width, FREQUENCY_CELLS, 1)
        return self.head(y)  # type: ignore[no-any-return]  # no softmax: relevance starts from the logits

    @torch.no_grad()
    def fit_scale(self, inputs: Tensor) -> None:
        """Before training: scale the untrained weights so that `inputs` (n, …) reach the head at order one.

        STFT magnitudes of windows within ±1 are of order 0.01, and would fade. ReLU layers without bias pass a factor
        on, so each convolution takes an equal part of it.
        """
        convolutions = [module for module in self.features.modules() if isinstance(module, nn.Conv2d)]
        size = inputs.square().mean().sqrt()
        for convolution in convolutions if size > 0 else []:
            convolution.weight.mul_(size ** (-1 / len(convolutions)))


def conv_block(before: int, after: int) -> nn.Sequential:
    """(batch, before, freq, time) → (batch, after, freq // 2, time // 2)"""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def _initialise(module: nn.Module) -> None:
    # without BatchNorm, He's variance keeps six layers of ReLU from fading
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
