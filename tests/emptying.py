"""How the database is emptied after a test that committed: only what was filled, and roles stay.

Django's own flush empties every table and makes content types, permissions and roles again, which took longer than
most tests.
"""

from contextlib import contextmanager

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection, transaction

from labelapp.catalogue.roles import make_roles
from labelapp.review import triggers

# Made by migrations, and the same for all tests.
KEPT = {"auth_group", "auth_group_permissions", "auth_permission", "django_content_type", "django_migrations"}


_made = []  # the roles as `make_roles` makes them


def empty_filled_tables():
    """Delete all rows of what tests fill. The ledger's triggers know no exception: they are dropped and made again."""
    filled = _filled_tables()
    ledger = triggers.TABLE in filled
    if ledger:
        triggers.remove(connection)
    with _unchecked(), connection.cursor() as cursor:
        for table in filled:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608  # names of our own tables
    if ledger or triggers.missing(connection):
        triggers.install(connection)
    if not _made or _roles() != _made[0]:
        Group.objects.all().delete()
        make_roles(apps)
        _made[:] = [_roles()]


def _roles():
    """Each group with its permissions."""
    return sorted(Group.objects.values_list("name", "permissions"), key=str)


def _filled_tables():
    tables = sorted(set(connection.introspection.django_table_names()) - KEPT)
    asked = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})"  # noqa: S608
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        return [table for (table,) in cursor.fetchall()]


@contextmanager
def _unchecked():
    """One transaction in which rows may go in any order."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no foreign keys, which are triggers
            yield
    else:
        with connection.constraint_checks_disabled(), transaction.atomic():
            yield
