"""Three roles, as groups: a manager may do what an expert may, an expert what a viewer may.

A superuser is a manager.
"""

from typing import Any

VIEWER, EXPERT, MANAGER = "viewer", "expert", "manager"

# What managers may do in the admin. Nobody may add, change or delete a relabel, a prediction or a panel there.
ADMIN_RIGHTS = {
    ("catalogue", "site"): ("view", "change"),
    ("catalogue", "eventclass"): ("view", "change"),
    ("catalogue", "station"): ("view", "change"),
    ("catalogue", "recording"): ("view",),
    ("catalogue", "event"): ("view", "change"),
    ("catalogue", "modelversion"): ("view", "change"),
    ("catalogue", "prediction"): ("view",),
    ("catalogue", "explanation"): ("view",),
    ("review", "reviewitem"): ("view",),
    ("review", "relabel"): ("view",),
    ("review", "reviewpolicy"): ("view", "add", "change"),
    ("review", "goldevent"): ("view", "add", "change", "delete"),
    ("learning", "run"): ("view", "change"),
}


def is_viewer(user: Any) -> bool:
    """May look at everything."""
    return _has_one_of(user, VIEWER, EXPERT, MANAGER)


def is_expert(user: Any) -> bool:
    """May decide."""
    return _has_one_of(user, EXPERT, MANAGER)


def is_manager(user: Any) -> bool:
    """May import, start runs, promote models, and use the admin."""
    return _has_one_of(user, MANAGER)


def _has_one_of(user: Any, *roles: str) -> bool:
    if not user.is_active:
        return False
    return user.is_superuser or user.groups.filter(name__in=roles).exists()


def make_roles(apps: Any) -> None:
    """Make the groups and the managers' rights; safe to repeat. `apps` is Django's registry or a migration's.

    The rights are made here where they are missing, because Django makes its own only after the last migration.
    """
    groups = apps.get_model("auth", "Group").objects
    groups.get_or_create(name=VIEWER)
    groups.get_or_create(name=EXPERT)
    manager, _ = groups.get_or_create(name=MANAGER)
    manager.permissions.add(*(right for place, verbs in ADMIN_RIGHTS.items() for right in _rights(apps, *place, verbs)))


def _rights(apps: Any, app_label: str, model: str, verbs: tuple[str, ...]) -> list[Any]:
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app_label, model=model)
    permissions = apps.get_model("auth", "Permission").objects
    return [
        permissions.get_or_create(
            codename=f"{verb}_{model}", content_type_id=kind.pk, defaults={"name": f"Can {verb} {model}"}
        )[0]
        for verb in verbs
    ]
