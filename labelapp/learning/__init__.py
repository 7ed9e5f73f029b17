"""When the machine works: runs, the Celery tasks that carry them out, and the pipeline into mlcore.

Imports review and catalogue. Only `pipeline` imports mlcore, so that a web process never loads torch.
"""
