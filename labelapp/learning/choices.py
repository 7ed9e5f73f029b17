"""What a run can be asked for, in words, within which bounds, and what it takes where nobody says.

Commands, checks and forms ask here. What a site's recipe decides is asked of it: `pipeline.beginnings.usual`.
"""

# Of a pretraining, as mlcore.pretrain has them, with the names of their papers.
METHODS = {"vnibcreg": "VNIbCReg", "vibcreg": "VIbCReg", "vicreg": "VICReg", "barlow_twins": "Barlow Twins"}
ENCODERS = {
    "stft_cnn": "STFT-CNN",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "mobilenetv3": "MobileNetV3",
    "inceptionv3": "Inception v3",
    "simplecnn": "simple CNN",
}
STARTS_CLASSIFIERS = "stft_cnn"  # the one that a classifier's members can begin with
POOL_WINDOWS = 20_000  # or fewer, where memory holds no more
MOST_POOL_WINDOWS = 200_000
MOST_EPOCHS = 10_000

# Of a pool map.
PLACINGS = {"tsne": "t-SNE", "pca": "principal components"}
PLACING = "tsne"
MAP_WINDOWS = 5_000
