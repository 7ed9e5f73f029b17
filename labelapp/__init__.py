"""The web application: it remembers what was recorded, and asks experts.

catalogue ← review ← learning ← api: each app imports only what stands to its left.
"""

from labelapp.celery import app as celery_app

__all__ = ["celery_app"]
