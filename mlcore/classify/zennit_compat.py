"""zennit, importable beside any torch. Everything that needs zennit takes it from here.

`import zennit` imports torchvision for the names of two ResNet classes. torchvision's operators are tied to one build
of torch, and where they do not load (as beside CPU-only torch) the import fails. We use no ResNet: two empty classes
under torchvision's name satisfy it.
"""

import importlib
import sys
from types import ModuleType


def _register_stand_in() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # the half of it that did load
    names = ("torchvision", "torchvision.models", "torchvision.models.resnet")
    modules = {name: ModuleType(name) for name in names}
    modules["torchvision"].models = modules["torchvision.models"]  # type: ignore[attr-defined]
    modules["torchvision.models"].resnet = modules["torchvision.models.resnet"]  # type: ignore[attr-defined]
    for class_name in ("BasicBlock", "Bottleneck"):
        setattr(modules["torchvision.models.resnet"], class_name, type(class_name, (), {}))
    sys.modules.update(modules)


try:
    importlib.import_module("torchvision.models.resnet")
except (ImportError, RuntimeError, OSError):
    _register_stand_in()

from zennit.core import Composite, Hook, Stabilizer  # noqa: E402
from zennit.rules import Epsilon, Pass  # noqa: E402
from zennit.types import Activation, AvgPool, Convolution, Linear  # noqa: E402

__all__ = [
    "Activation",
    "AvgPool",
    "Composite",
    "Convolution",
    "Epsilon",
    "Hook",
    "Linear",
    "Pass",
    "Stabilizer",
]
