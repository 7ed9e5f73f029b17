"""What pretraining puts on an encoder, and what is thrown away after it: projector and discriminator."""

import torch
from torch import Tensor, nn

from mlcore.pretrain.config import Method
from mlcore.pretrain.iter_norm import IterNorm


class Projector(nn.Sequential):
    """y (batch, features) → z (batch, method.projector)

    Linear–BatchNorm–ReLU twice, Linear, and IterNorm for VIbCReg and VNIbCReg: Lee et al. 2022, section 3, with the
    authors' code; without IterNorm Dias et al. 2023, section 2.
    """

    def __init__(self, features: int, method: Method):
        width = method.projector
        layers = [*_layer(features, width), *_layer(width, width), nn.Linear(width, width)]
        whitening = [IterNorm(width, method.groups, method.iterations)] if method.iter_norm else []
        super().__init__(*layers, *whitening)


class Discriminator(nn.Module):
    """Representations y_a, y_b (batch, features) → the logit that they are neighbours, (batch,)

    Linear(2F → 4F)–ReLU–Dropout 0.5–Linear(1): TNC's, Tonekaboni et al. 2021, in the authors' code of Lee et al. 2022.
    """

    def __init__(self, features: int, dropout: float = 0.5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * features, 4 * features), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * features, 1)
        )
        for layer in (self.layers[0], self.layers[3]):
            nn.init.xavier_uniform_(layer.weight)  # type: ignore[arg-type]

    def forward(self, y_a: Tensor, y_b: Tensor) -> Tensor:
        return self.layers(torch.cat([y_a, y_b], dim=1)).squeeze(1)  # type: ignore[no-any-return]


def _layer(before: int, after: int) -> list[nn.Module]:
    return [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
