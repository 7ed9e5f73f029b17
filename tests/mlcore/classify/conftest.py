import pytest
import torch

from mlcore.checkpoint import model_files
from mlcore.classify.predict import Classifier, network_for
from mlcore.config import Network, Preprocessing, Recipe

SMALL = Recipe(
    preprocessing=Preprocessing(
        sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, step_s=1.0, stft_length=32, stft_hop=16
    ),
    network=Network(width=4, blocks=2),
)
CLASSES = ["quake", "earthquake", "rockfall", "noise"]


def untrained(recipe=SMALL, classes=CLASSES, seed=0):
    """A classifier with random biases, so that they take their share, and logits of order one, as trained ones have."""
    torch.manual_seed(seed)
    model = network_for(recipe, len(classes))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.05)
    torch.nn.init.normal_(model.logits.weight, std=0.5)
    return Classifier.from_files(model_files(model, {"classes": classes, "recipe": recipe.to_dict()}))


@pytest.fixture
def classifier():
    return untrained()
