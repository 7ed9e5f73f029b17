from django.db import migrations

from labelapp.catalogue.roles import make_roles


def make(apps, schema_editor):
    """Managers get the rights that came with policies and gold events."""
    make_roles(apps)


class Migration(migrations.Migration):
    dependencies = [("review", "0006_former_holder"), ("catalogue", "0002_roles")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
