"""Columns of the ledger were altered: SQLite made its table anew for that, without the triggers."""

from django.db import migrations

from labelapp.review import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("review", "0004_workbench")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
