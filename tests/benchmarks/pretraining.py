"""Seconds of one VNIbCReg step (ResNet34, batch 128, the paper's widths), against a plain implementation of the same.

Plain: SciPy's spectrogram of one channel after another in the loader, eager float32, correlation matrices of 4096².
On a GPU, where there is one, ours in bfloat16 against ours in float32 too, with the losses of both.

python -m tests.benchmarks.pretraining [--batch 128] [--steps 3]
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from scipy import signal
from torch.nn import functional as F

from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.model import Pretrained
from mlcore.pretrain.pool import Facts, Pool
from mlcore.pretrain.train import pretrain

RECIPE = Pretraining()
CHANNELS = 24


def pool(count: int) -> Pool:
    """Noise in place of Åknes: 16 s of 24 channels at 1000 Hz."""
    draw = np.random.default_rng(0)
    windows = 100 * draw.standard_normal((count, CHANNELS, RECIPE.pool.window_samples), dtype=np.float32)
    recorded = np.ones(windows.shape[:2], dtype=bool)
    return Pool(windows, recorded, RECIPE.pool.sampling_rate_hz, tuple(Facts(f"XX.{n}.00") for n in range(count)))


def ours(windows: Pool, steps: int, device: str = "cpu", precision: str = "auto") -> tuple[float, float]:
    """Seconds of the fastest of some steps after the first, with all that prepares it; the first step's loss."""
    training = replace(RECIPE.training, batch_size=len(windows), epochs=steps + 1, precision=precision)
    ends = []

    def note(progress):
        if ", batch " in progress.message:
            if device == "cuda":
                torch.cuda.synchronize()
            ends.append(time.perf_counter())

    learned = pretrain(windows, replace(RECIPE, training=training), device=device, progress=note)
    return min(np.diff(ends)), learned.history[0]["loss"]


def plain(windows: Pool, steps: int) -> float:
    """Seconds of the fastest of some steps after the first, as everyone writes it first."""
    torch.manual_seed(0)
    model = Pretrained(RECIPE).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        t, l, k = (torch.stack(crops) for crops in zip(*map(example, windows.windows), strict=True))  # noqa: E741
        optimizer.zero_grad()
        y_t, y_l, y_k = model.encoder(t), model.encoder(l), model.encoder(k)
        z_t, z_l = model.projector(y_t), model.projector(y_l)
        near, far = model.discriminator(y_t, y_l), model.discriminator(y_t, y_k)
        plain_loss(z_t, z_l, y_t, y_l, y_k, near, far).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def example(window):
    """Three crops of one window, (1, 128, 71) each."""
    draw = np.random.default_rng()
    first, second = (image(window[channel]) for channel in draw.integers(0, CHANNELS, 2))
    t = int(draw.integers(17, 624))
    l = int(np.clip(round(draw.normal(t, 9)), t - 17, t + 17))  # noqa: E741
    k = int(draw.choice([start for start in range(641) if abs(start - t) > 88]))
    return first[..., t : t + 71], second[..., l : l + 71], second[..., k : k + 71]


def image(samples):
    power = np.log10(signal.spectrogram(samples, 1000.0, nperseg=80)[2] + 1)
    scaled = torch.from_numpy((power - power.min()) / (power.max() - power.min())).float()
    return F.interpolate(scaled[None, None], (128, 711), mode="bilinear")[0]


def plain_loss(z_t, z_l, y_t, y_l, y_k, near, far):
    terms = 10 * F.mse_loss(z_t, z_l)
    for z in (z_t, z_l):
        terms += 10 * F.relu(1 - torch.sqrt(z.var(dim=0) + 1e-4)).mean()
        c = F.normalize(z - z.mean(dim=0), dim=0)
        c = c.T @ c
        terms += 10 * (c - torch.diag(c.diagonal())).pow(2).mean()
    told = F.binary_cross_entropy_with_logits
    terms += 13 * (told(near, torch.ones_like(near)) + told(far, torch.zeros_like(far)))
    t, l, k = (F.normalize(y - y.mean(dim=1, keepdim=True), dim=1) for y in (y_t, y_l, y_k))  # noqa: E741
    return terms + 13 * ((1 - (t * l).sum(dim=1)).pow(2).mean() + (t * k).sum(dim=1).pow(2).mean())


def on_the_gpu(windows: Pool, steps: int) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    (fast, low), (exact, full) = (ours(windows, steps, "cuda", each) for each in ("bfloat16", "float32"))
    print(
        f"{torch.cuda.get_device_name()}: {fast:.3f} s a step in bfloat16, {exact / fast:.1f} × float32 ({exact:.3f} s)"
    )
    print(f"Loss of the first step: {low:.4f} in bfloat16, {full:.4f} in float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=RECIPE.training.batch_size)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    windows = pool(options.batch)
    fast, _ = ours(windows, options.steps)
    slow = plain(windows, options.steps)
    print(f"One VNIbCReg step of {options.batch}: {fast:.2f} s, {slow / fast:.1f} × plain eager float32 ({slow:.2f} s)")
    if torch.cuda.is_available():
        on_the_gpu(windows, options.steps)


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; fastest step of some")
    main()
