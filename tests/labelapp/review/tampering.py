"""How somebody would tamper who has the database's password."""

from contextlib import contextmanager

from django.db import connection

from labelapp.review import triggers


@contextmanager
def unguarded():
    """The triggers dropped, and made again as if nothing was."""
    connection.check_constraints()  # PostgreSQL alters no table that has checks waiting
    triggers.remove(connection)
    yield
    connection.check_constraints()
    triggers.install(connection)


def execute(sql, *values):
    """One statement, past every service."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
