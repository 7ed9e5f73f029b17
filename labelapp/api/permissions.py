"""Who may do what over the API: reading needs a viewer; a writing action names its role, or needs a manager."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from labelapp.catalogue.roles import EXPERT, MANAGER, VIEWER, is_expert, is_manager, is_viewer

HOLDS = {VIEWER: is_viewer, EXPERT: is_expert, MANAGER: is_manager}


class HasRole(BasePermission):
    """Asks for the role in the view's `needs` {action: role}."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        role = needed_role(request, view)
        if not HOLDS[role](request.user):
            raise PermissionDenied(
                f"{request.user} is no {role}, which this needs. Ask whoever runs this server for the role."
            )
        return True


def needed_role(request: Request, view: Any) -> str:
    """The role that a request needs."""
    role = getattr(view, "needs", {}).get(getattr(view, "action", None))
    return role or (VIEWER if request.method in SAFE_METHODS else MANAGER)
