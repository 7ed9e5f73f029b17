"""Who may do what over the API."""

from rest_framework.permissions import IsAuthenticated


class HasRole(IsAuthenticated):
    pass
