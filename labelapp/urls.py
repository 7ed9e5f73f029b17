"""Every address of the web application. Importing this never loads torch."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from labelapp import pages

admin.site.site_title = admin.site.site_header = "Seisloop administration"
admin.site.index_title = "All times are UTC"

urlpatterns = [
    path("", pages.sites, name="sites"),
    path("login/", LoginView.as_view(template_name="login.html", redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("sites/<int:site_id>/queue/", pages.queue, name="queue"),
    path("sites/<int:site_id>/review/", pages.review, name="review"),
    path("sites/<int:site_id>/events/", pages.events, name="events"),
    path("sites/<int:site_id>/progress/", pages.progress, name="progress"),
    path("sites/<int:site_id>/agreement/", pages.agreement, name="agreement"),
    path("sites/<int:site_id>/matrices/", pages.matrices, name="matrices"),
    path("sites/<int:site_id>/record/", pages.record, name="record"),
    path("sites/<int:site_id>/map/", pages.site_map, name="site_map"),
    path("maps/<int:map_id>/", pages.pool_map, name="pool_map"),
    path("events/<int:event_id>/", pages.event, name="event"),
    path("sites/<int:site_id>/models/", pages.models, name="models"),
    path("models/<int:model_id>/", pages.model, name="model"),
    path("sites/<int:site_id>/runs/", pages.runs, name="runs"),
    path("runs/<int:run_id>/", pages.run, name="run"),
    path("healthz", pages.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("api/", include("labelapp.api.urls")),
]
