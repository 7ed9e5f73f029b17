import secrets
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from labelapp.catalogue.roles import EXPERT, MANAGER, VIEWER

ROLES = [VIEWER, EXPERT, MANAGER]


class Command(BaseCommand):
    help = "Add a person with a role, on every site; of somebody who is known already, change the role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", choices=ROLES, required=True, help="a manager may also use the admin")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password's line; default: one is made and shown once",
        )

    @transaction.atomic
    def handle(self, *args: Any, name: str, role: str, password_stdin: bool, **options: Any) -> None:
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            self._add(name, role, password_stdin)
        else:
            self._change(user, role, password_stdin)

    def _add(self, name: str, role: str, password_stdin: bool) -> None:
        user = get_user_model()(username=name)
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(12)
        try:
            user.set_password(password)
            user.full_clean()
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        give_role(user, role)
        self.stdout.write(f"Added {name} as {role}.")
        if not password_stdin:
            self.stdout.write(f"Password, shown this once: {password}")

    def _change(self, user: Any, role: str, password_stdin: bool) -> None:
        """Another role for a user who exists: never another password, which `changepassword` gives."""
        held = role_of(user)
        if password_stdin:
            raise CommandError(f"{user} exists already. Leave --password-stdin out, and see manage.py changepassword.")
        if user.is_superuser:
            raise CommandError(f"{user} exists already and is a superuser, who may do everything. Nothing was changed.")
        if role == held:
            raise CommandError(f"{user} exists already, as {held}. Give another name, or another --role to change it.")
        give_role(user, role)
        self.stdout.write(f"{user} existed already and is now {role} (was: {held or 'without a role'}).")


def role_of(user: Any) -> str | None:
    """The highest role that the user holds."""
    held = set(user.groups.values_list("name", flat=True))
    return next((role for role in reversed(ROLES) if role in held), None)


def give_role(user: Any, role: str) -> None:
    """This role and no other; only managers get into the admin."""
    user.is_staff = role == MANAGER
    user.save()
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    user.groups.add(Group.objects.get(name=role))
