"""Encoders: image of a crop → representation. Those of Lee et al. 2022 and Dias et al. 2023, for one channel.

All are adapted alike: the first convolution takes one channel (or as many as asked), the classification layers are
gone, and an average over what is left of the image ends them. So crops of any size serve, of a few columns too.
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.encoders.inception import InceptionV3
from mlcore.pretrain.encoders.mobilenet import MobileNetV3
from mlcore.pretrain.encoders.resnet import ResNet
from mlcore.pretrain.encoders.simplecnn import SimpleCNN
from mlcore.pretrain.encoders.stft_cnn import STFTEncoder
from mlcore.sections import require

ENCODERS: dict[str, Callable[[float, int], nn.Module]] = {
    "resnet18": partial(ResNet, (2, 2, 2, 2), False),
    "resnet34": partial(ResNet, (3, 4, 6, 3), False),
    "resnet50": partial(ResNet, (3, 4, 6, 3), True),
    "mobilenetv3": MobileNetV3,
    "inceptionv3": InceptionV3,
    "simplecnn": SimpleCNN,
    "stft_cnn": STFTEncoder,
}


def encoder(name: str, width: float = 1.0, channels: int = 1) -> nn.Module:
    """The untrained encoder: x (batch, channels, freq, time) → y (batch, features), with the number `.features`.

    `width` multiplies the channels of every layer, rounded to multiples of 8.
    """
    require(name in ENCODERS, f"There is no encoder {name!r}. Known encoders: {', '.join(ENCODERS)}.")
    return ENCODERS[name](width, channels)


def encoder_of(recipe: Pretraining) -> nn.Module:
    """The untrained encoder that a recipe asks for, as `encoder` gives it.

    Of images "stft", stft_cnn is the member of the classifier that is given the same.
    """
    section, pool = recipe.encoder, recipe.pool
    if section.name != "stft_cnn":
        return encoder(section.name, section.width)
    is_member = recipe.spectrogram.image == "stft"
    shape = recipe.spectrogram.shape(pool.window_samples, pool.sampling_rate_hz) if is_member else (0, 0)
    return STFTEncoder(section.width, kernels=section.kernels, blocks=section.blocks, frequencies=shape[0])
