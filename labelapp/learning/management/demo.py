"""The demo sites and their first logins: built once, completed where a part is missing, else left alone."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from labelapp.catalogue import roles
from labelapp.catalogue.models import ModelVersion, Site
from labelapp.catalogue.services import create_site
from labelapp.learning.claims import mark_runs_of_ended_processes, worker_name
from labelapp.learning.management.running import LearningCommand, shown_progress
from labelapp.learning.models import Run
from labelapp.learning.services import resume_run
from labelapp.learning.tracking import Step

SYNTHETIC, RECORDED = "synthetic slope", "recorded"
LOGINS = settings.HOME / "first-login.txt"
FIRST_USERS = {"expert": roles.EXPERT, "manager": roles.MANAGER}

Told = Callable[[str, float], None]


def build(command: LearningCommand) -> None:
    """Both demo sites and the first logins. Safe to repeat: it checks what is there, and makes what is missing."""
    began = time.monotonic()
    mark_runs_of_ended_processes()
    built = [_build_synthetic(command), _build_recorded(command)]
    if any(built):
        command.stdout.write(f"Built in {time.monotonic() - began:.0f} s.")
    for site in Site.objects.filter(name__in=[SYNTHETIC, RECORDED]):
        waiting = site.review_items.filter(state="open").count()
        command.stdout.write(f"Site {site}: {site.events.count()} events, {waiting} waiting in the queue.")
    for line in first_logins():
        command.stdout.write(line)


def _build_synthetic(command: LearningCommand) -> bool:
    """Whether anything was missing."""
    site = Site.objects.filter(name=SYNTHETIC).first()
    if site and _is_done(site, Run.Kind.CLASSIFY):
        return False
    from labelapp.learning.pipeline import demo

    site = site or create_site(
        name=SYNTHETIC,
        recipe=demo.SYNTHETIC_RECIPE.to_dict(),
        description=demo.SYNTHETIC_DESCRIPTION,
        synthetic=True,
    )
    if site.events.count() < demo.EVENTS:
        with _telling(command, SYNTHETIC) as tell:
            demo.fill_synthetic_site(site, tell)
    if site.active_model is None:
        _run(command, site, Run.Kind.TRAIN)
        site.refresh_from_db()
    _run(command, site, Run.Kind.CLASSIFY)
    return True


def _build_recorded(command: LearningCommand) -> bool:
    """Whether anything was missing."""
    site = Site.objects.filter(name=RECORDED).first()
    if site and _is_done(site, Run.Kind.DETECT):
        return False
    from labelapp.learning.pipeline import demo

    site = site or create_site(
        name=RECORDED, recipe=demo.RECORDED_RECIPE.to_dict(), description=demo.RECORDED_DESCRIPTION
    )
    for why in demo.register_recordings(site):
        command.stderr.write(why)
    if not ModelVersion.objects.filter(site=site, kind=ModelVersion.Kind.CLASSIFIER).exists():
        with _telling(command, RECORDED) as tell:
            demo.train_on_generator(site, tell)
        site.refresh_from_db()
    _run(command, site, Run.Kind.DETECT)
    return True


def _is_done(site: Site, kind: str) -> bool:
    return site.runs.filter(kind=kind, state=Run.State.DONE).exists()


def _run(command: LearningCommand, site: Site, kind: str) -> None:
    """A run in the foreground: the one that an earlier, interrupted build left, else a new one."""
    command.stdout.write(f"Site {site}: {Run.Kind(kind).label}")
    left = site.runs.filter(kind=kind, state__in=[Run.State.INTERRUPTED, Run.State.FAILED]).first()
    if left is None:
        command.run_here(site=site, kind=kind, parameters={})
    else:
        worker = worker_name()
        command.work_on(resume_run(run=left, worker=worker), worker)


@contextmanager
def _telling(command: LearningCommand, site: str) -> Iterator[Told]:
    with shown_progress(command) as show:
        yield lambda stage, fraction: show(Step(f"{site}: {stage}", fraction, {}, ""))


def first_logins() -> list[str]:
    """Lines that name the first logins, made now if nobody has one yet; those changed since are not shown."""
    users = get_user_model().objects
    known = _written_down()
    for name, role in FIRST_USERS.items():
        if not users.filter(username=name).exists():
            known[name] = secrets.token_urlsafe(12)
            user = users.create_user(name, password=known[name], is_staff=role == roles.MANAGER)
            user.groups.add(Group.objects.get(name=role))
            _write_down(known)
    there = {user.get_username(): user for user in users.filter(username__in=known)}
    working = {name: known[name] for name, user in there.items() if user.check_password(known[name])}
    if not working:
        return ["The first logins were changed since."]
    return ["Log in as:", *(f"  {name:8} {password}" for name, password in working.items()), f"(kept in {LOGINS})"]


def _written_down() -> dict[str, str]:
    if not LOGINS.exists():
        return {}
    pairs = (line.split() for line in LOGINS.read_text().splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] in FIRST_USERS}


def _write_down(logins: dict[str, str]) -> None:
    """For the owner's eyes only."""
    with os.fdopen(os.open(LOGINS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("The first logins of this Seisloop. Change their passwords, then delete this file.\n")
        file.writelines(f"{name:8} {password}\n" for name, password in logins.items())
