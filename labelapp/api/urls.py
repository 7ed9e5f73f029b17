"""Addresses below /api/."""

urlpatterns: list = []
