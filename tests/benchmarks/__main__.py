"""python -m tests.benchmarks [NAME...]: what Seisloop's steps cost on this machine, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import torch

NAMES = [
    "prediction",
    "detection",
    "relevance",
    "training",
    "pretraining",
    "label_errors",
    "review_page",
    "pool_map",
    "pool",
]


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; returns how many failed."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}", flush=True)
    failed = 0
    for name in names or NAMES:
        if not Path(__file__).with_name(f"{name}.py").is_file():
            print(f"There is no benchmark {name}. Choose among {', '.join(NAMES)}.")
            failed += 1
            continue
        print(f"\n{name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
