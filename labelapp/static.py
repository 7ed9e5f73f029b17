"""Static files under names that carry their checksum, the modules that scripts import included."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """A browser never mixes the modules of two versions: each import is rewritten to the checksummed name."""

    support_js_module_import_aggregation = True
