"""The database's own refusal to change or remove a relabel, on SQLite and PostgreSQL.

A table that Django rebuilds (SQLite does for most changes of columns) loses its triggers: a migration that alters
Relabel must end with `install`. `verify_ledger` names triggers that are missing.
"""

import re
from typing import Any

TABLE = "review_relabel"
REFUSAL = "A relabel is never changed or removed. Record a new decision instead."

_SQLITE = {
    "relabel_refuses_update": f"BEFORE UPDATE ON {TABLE}",
    "relabel_refuses_delete": f"BEFORE DELETE ON {TABLE}",
    # INSERT OR REPLACE removes the old row without asking a DELETE trigger.
    "relabel_refuses_replace": (
        f"BEFORE INSERT ON {TABLE} WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id"  # noqa: S608 - constants
        " OR hash = NEW.hash OR (site_id = NEW.site_id AND sequence = NEW.sequence))"
    ),
}
_POSTGRES = {
    "relabel_refuses_update": f"BEFORE UPDATE ON {TABLE} FOR EACH ROW",
    "relabel_refuses_delete": f"BEFORE DELETE ON {TABLE} FOR EACH ROW",
    "relabel_refuses_truncate": f"BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT",
}
_POSTGRES_BODY = f" BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END "


def _sqlite_trigger(name: str) -> str:
    return f"CREATE TRIGGER {name} {_SQLITE[name]} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"


def install(connection: Any) -> None:
    """Make the triggers that are missing, and renew the others."""
    remove(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in _SQLITE:
                cursor.execute(_sqlite_trigger(name))
            return
        cursor.execute(
            "CREATE OR REPLACE FUNCTION refuse_relabel_change() RETURNS trigger LANGUAGE plpgsql"
            f" AS $${_POSTGRES_BODY}$$"
        )
        for name, when in _POSTGRES.items():
            cursor.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION refuse_relabel_change()")
            # ALWAYS: also in a session that plays a replica, where plain triggers keep silent.
            cursor.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {name}")


def remove(connection: Any) -> None:
    """Drop the triggers: for reversing the migration, and for a test database that is emptied."""
    with connection.cursor() as cursor:
        for name in _SQLITE if connection.vendor == "sqlite" else _POSTGRES:
            on = "" if connection.vendor == "sqlite" else f" ON {TABLE}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def missing(connection: Any) -> list[str]:
    """Names of the triggers that are not there, are switched off, or do something else than ours."""
    sound = _sound_sqlite(connection) if connection.vendor == "sqlite" else _sound_postgres(connection)
    return sorted(set(_SQLITE if connection.vendor == "sqlite" else _POSTGRES) - sound)


def _sound_sqlite(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
        return {name for name, sql in cursor.fetchall() if name in _SQLITE and sql == _sqlite_trigger(name)}


def _sound_postgres(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE t.tgrelid = %s::regclass AND t.tgenabled = 'A' AND p.prosrc = %s",
            [TABLE, _POSTGRES_BODY],
        )
        return {name for name, definition in cursor.fetchall() if _means_ours(name, definition)}


def _means_ours(name: str, definition: str) -> bool:
    """Whether PostgreSQL's own wording (with the schema before the table) is our trigger."""
    wanted = f"CREATE TRIGGER {name} {_POSTGRES.get(name)} EXECUTE FUNCTION refuse_relabel_change()"
    return re.sub(rf" ON \S+\.{TABLE} ", f" ON {TABLE} ", definition) == wanted
