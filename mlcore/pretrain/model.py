"""What learns during pretraining, and the part of it that is kept: the encoder, as two files without pickles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mlcore.checkpoint import Description, load_model, model_files, model_from_files
from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.encoders import encoder_of
from mlcore.pretrain.heads import Discriminator, Projector
from mlcore.pretrain.losses.vnibcreg import Encoded
from mlcore.pretrain.together import gathered
from mlcore.pretrain.views import Crops

KIND = "pretrained encoder"


class Pretrained(nn.Module):
    """Crops t, l, k, each (batch, 1, freq, columns) → representations y, embeddings z, and the discriminator's logits

    Each crop is encoded by itself, so that BatchNorm never mixes views; k only where L_tnc asks for it. Lee et al.
    2022, Fig. 5. Where several processes learn together, what comes out is of all their crops.
    """

    def __init__(self, recipe: Pretraining):
        super().__init__()
        self.encoder = encoder_of(recipe)
        features = representation_size(self.encoder)
        self.projector = Projector(features, recipe.method)
        self.discriminator = Discriminator(features) if recipe.method.tnc != "none" else None

    def forward(self, crops: Crops) -> Encoded:
        y_t, y_l = self.encoder(crops.t), self.encoder(crops.l)  # (batch, features)
        z_t, z_l = gathered(self.projector(y_t)), gathered(self.projector(y_l))  # (batch of all, dim)
        y_t, y_l = gathered(y_t), gathered(y_l)
        if self.discriminator is None:
            return Encoded(z_t, z_l, y_t, y_l)
        y_k = gathered(self.encoder(crops.k))
        # All processes tell the same pairs apart, with the same dropout: each holds the whole loss.
        near, far = self.discriminator(y_t, y_l), self.discriminator(y_t, y_k)
        return Encoded(z_t, z_l, y_t, y_l, y_k, near, far)


def encoder_files(trained: nn.Module, recipe: Pretraining, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """An encoder's two files by name, for any storage. `facts` are added to its description."""
    description = {
        **facts,
        "kind": KIND,
        "recipe": recipe.to_dict(),
        "parameters": sum(p.numel() for p in trained.parameters()),
    }
    return model_files(trained, description)


def encoder_from_files(files: Mapping[str, bytes]) -> tuple[nn.Module, Pretraining, Description]:
    """A pretrained encoder, its recipe and its description. Raises BadConfiguration as `checkpoint` does."""
    network, description = model_from_files(files, _build)
    return network, Pretraining.from_dict(description["recipe"]), description


def load_encoder(directory: Path | str) -> tuple[nn.Module, Pretraining, Description]:
    """The pretrained encoder in a folder, its recipe and its description. Raises BadConfiguration."""
    network, description = load_model(directory, _build)
    return network, Pretraining.from_dict(description["recipe"]), description


def _build(description: Description) -> nn.Module:
    if description.get("kind") != KIND:
        raise BadConfiguration(
            f"This is a {description.get('kind', 'classifier')}, but a {KIND} is expected. "
            "Choose a model that was made by pretraining."
        )
    return encoder_of(Pretraining.from_dict(description["recipe"]))


def representation_size(network: nn.Module) -> int:
    """How many features an encoder gives."""
    return int(network.features)  # type: ignore[arg-type]


def first(encoded: Encoded) -> tuple[Tensor, Tensor]:
    """y (batch, features) and z (batch, dim) of the reference crops."""
    assert encoded.y_t is not None  # noqa: S101  # Pretrained always gives it
    return encoded.y_t, encoded.z_t
