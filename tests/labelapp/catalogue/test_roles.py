"""Who may do what: a manager may do what an expert may, an expert what a viewer may."""

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, Permission

from labelapp.catalogue.roles import ADMIN_RIGHTS, is_expert, is_manager, is_viewer, make_roles


def powers(user):
    return is_viewer(user), is_expert(user), is_manager(user)


def test_each_role_includes_the_one_below(viewer, expert, manager):
    assert powers(viewer) == (True, False, False)
    assert powers(expert) == (True, True, False)
    assert powers(manager) == (True, True, True)


def test_a_superuser_is_a_manager_and_a_stranger_nothing(admin_user, django_user_model):
    assert powers(admin_user) == (True, True, True)
    assert powers(django_user_model.objects.create_user(username="nobody")) == (False, False, False)
    assert powers(AnonymousUser()) == (False, False, False)


def test_an_inactive_user_may_nothing(manager, admin_user):
    for user in (manager, admin_user):
        user.is_active = False
        assert powers(user) == (False, False, False)


@pytest.mark.parametrize("verb", ["add", "change", "delete"])
def test_managers_never_write_the_ledger_or_predictions_in_the_admin(manager, verb):
    for row in ("review.{}_relabel", "review.{}_reviewitem", "catalogue.{}_prediction", "catalogue.{}_explanation"):
        assert not manager.has_perm(row.format(verb))
        assert manager.has_perm(row.format("view"))


def test_the_rights_are_made_once_whatever_is_migrated_first(db):
    make_roles(apps)
    names = Permission.objects.filter(content_type__app_label__in=["catalogue", "review", "learning"])
    assert len(names) == len({(p.content_type_id, p.codename) for p in names})
    manager = Group.objects.get(name="manager")
    assert manager.permissions.count() == sum(len(verbs) for verbs in ADMIN_RIGHTS.values())
