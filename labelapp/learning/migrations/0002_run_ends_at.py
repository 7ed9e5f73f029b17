from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial")]

    operations = [
        migrations.AddField("run", "ends_at", models.DateTimeField(blank=True, null=True)),
    ]
