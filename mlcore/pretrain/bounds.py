"""How far settings of a pretraining may go: far beyond what is of use.

What lies outside could only fail in the middle of the work, for want of memory, of time, or of precision.
"""

MOST_EPOCHS = 10_000
LARGEST_BATCH = 65_536
LARGEST_SEED = 2**31 - 1
FASTEST_LEARNING = 10.0
FASTEST_HZ = 100_000
LONGEST_S = 86_400
MOST_FILTER_ORDER = 20
LOWEST_BAND = 1e-6  # of the sampling rate: below, a filter's coefficients lose their precision
HIGHEST = 4096  # rows of an image
WIDEST = 8  # factor on an encoder's channels
MOST_KERNELS = 4096  # of a layer
MOST_BLOCKS = 8
MOST_FEATURES = 16_384  # of an embedding: each layer of a projector has the square of it
MOST_ITERATIONS = 100
HEAVIEST = 1_000_000  # of a term of a loss
