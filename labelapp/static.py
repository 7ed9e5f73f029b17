"""Static files under names that carry their checksum, the modules that scripts import included."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """A browser never mixes the modules of two versions: each import is rewritten to the checksummed name."""

    support_js_module_import_aggregation = True
    # Each pass names what the one before has named: as many as modules import each other in a row, and some to come.
    max_post_process_passes = 30
