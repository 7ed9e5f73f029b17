"""create_user, as whoever runs the server types it."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from labelapp.catalogue import roles

PASSWORD = "a long passphrase"


@pytest.fixture(autouse=True)
def quick_password_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def create_user(*arguments):
    out = io.StringIO()
    call_command("create_user", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch):
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("role", "may"),
    [("viewer", (True, False, False)), ("expert", (True, True, False)), ("manager", (True, True, True))],
)
def test_a_new_person_may_do_what_the_role_says_and_logs_in_with_the_password_shown(
    role, may, client, db, django_user_model
):
    said = create_user("ana", "--role", role)
    user = django_user_model.objects.get(username="ana")
    assert (roles.is_viewer(user), roles.is_expert(user), roles.is_manager(user)) == may
    assert user.is_staff == (role == "manager")
    assert not user.is_superuser
    answer = client.post("/login/", {"username": "ana", "password": said.split()[-1]})
    assert answer.status_code == 302


def test_a_password_from_standard_input_is_not_shown(db, typed, django_user_model):
    typed(f"{PASSWORD}\n")
    assert create_user("ana", "--role", "expert", "--password-stdin") == "Added ana as expert.\n"
    assert django_user_model.objects.get(username="ana").check_password(PASSWORD)


@pytest.mark.parametrize(("name", "password"), [("ana", "short"), ("ana", ""), ("a name!", PASSWORD), ("", PASSWORD)])
def test_a_weak_password_or_a_name_that_is_none_adds_nobody(name, password, db, typed, django_user_model):
    typed(password)
    with pytest.raises(CommandError):
        create_user(name, "--role", "expert", "--password-stdin")
    assert not django_user_model.objects.exists()


def test_another_role_replaces_the_old_one_and_keeps_the_password(manager, django_user_model):
    manager.set_password(PASSWORD)
    manager.save()
    assert create_user(manager.username, "--role", "viewer") == (
        "a manager existed already and is now viewer (was: manager).\n"
    )
    user = django_user_model.objects.get(pk=manager.pk)
    assert [group.name for group in user.groups.all()] == ["viewer"]
    assert not user.is_staff
    assert user.check_password(PASSWORD)


def test_somebody_who_has_the_role_already_is_refused(expert):
    with pytest.raises(CommandError, match="exists already, as expert"):
        create_user(expert.username, "--role", "expert")


def test_the_password_of_somebody_known_is_not_changed(expert, typed):
    typed(PASSWORD)
    with pytest.raises(CommandError, match="changepassword"):
        create_user(expert.username, "--role", "viewer", "--password-stdin")


def test_a_superuser_stays_one(admin_user):
    with pytest.raises(CommandError, match="superuser"):
        create_user(admin_user.username, "--role", "viewer")
    admin_user.refresh_from_db()
    assert admin_user.is_staff
