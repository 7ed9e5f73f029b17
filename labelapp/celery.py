"""The Celery application. Workers and the web process find tasks and broker here."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")

app = Celery("seisloop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
