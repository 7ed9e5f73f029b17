"""Speed and memory, each as a ratio against a stated baseline of the same run: `make bench`."""
