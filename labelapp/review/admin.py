"""Queue and ledger in the admin: to be looked at only."""

from django.contrib import admin

from labelapp.catalogue.admin import ReadOnly
from labelapp.review.models import Relabel, ReviewItem


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["event", "site", "reason", "priority", "state", "holder", "held_until", "created_at"]
    list_filter = ["site", "state", "reason"]
    list_select_related = ["event", "site", "holder"]
    search_fields = ["event__event_id"]


@admin.register(Relabel)
class RelabelAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["sequence", "site_name", "event_name", "from_code", "to_code", "kind", "expert_name", "decided_at"]
    list_filter = ["site", "kind", "to_code", "expert_name"]
    search_fields = ["event_name", "reason", "hash"]
    date_hierarchy = "decided_at"
