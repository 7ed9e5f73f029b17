"""Addresses below /api/."""

from django.contrib.auth.decorators import login_required
from django.urls import include, path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from labelapp.api.views.catalogue import EventViewSet, ExplanationViewSet, ModelViewSet, SiteViewSet
from labelapp.api.views.exports import CatalogueCSV, LabelErrorsCSV, LabelErrorsJSON, RelabelsCSV, RelabelsJSONL
from labelapp.api.views.figures import AgreementCSV, ComparisonCSV, ProgressCSV
from labelapp.api.views.keymap import KeymapView
from labelapp.api.views.learning import RunViewSet
from labelapp.api.views.maps import MapViewSet
from labelapp.api.views.review import RelabelViewSet, ReviewItemViewSet
from labelapp.api.views.root import Nowhere, Root
from labelapp.api.views.saved_filters import SavedFilterViewSet
from labelapp.api.views.token import TokenView

app_name = "api"

router = SimpleRouter()
router.register("sites", SiteViewSet, "site")
router.register("events", EventViewSet, "event")
router.register("explanations", ExplanationViewSet, "explanation")
router.register("relabels", RelabelViewSet, "relabel")
router.register("review-items", ReviewItemViewSet, "review-item")
router.register("saved-filters", SavedFilterViewSet, "saved-filter")
router.register("models", ModelViewSet, "model")
router.register("runs", RunViewSet, "run")
router.register("maps", MapViewSet, "map")

version_1 = [
    path("", Root.as_view(), name="root"),
    path("token/", TokenView.as_view(), name="token"),
    path("keymap/", KeymapView.as_view(), name="keymap"),
    path("catalogue.csv", CatalogueCSV.as_view(), name="catalogue-csv"),
    path("relabels.csv", RelabelsCSV.as_view(), name="relabels-csv"),
    path("relabels.jsonl", RelabelsJSONL.as_view(), name="relabels-jsonl"),
    path("progress.csv", ProgressCSV.as_view(), name="progress-csv"),
    path("agreement.csv", AgreementCSV.as_view(), name="agreement-csv"),
    path("comparison.csv", ComparisonCSV.as_view(), name="comparison-csv"),
    path("models/<int:id>/label-errors.csv", LabelErrorsCSV.as_view(), name="label-errors-csv"),
    path("models/<int:id>/label-errors.json", LabelErrorsJSON.as_view(), name="label-errors-json"),
    *router.urls,
]

# JSON first: so that its refusals are JSON as well.
schema = SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer2, OpenApiYamlRenderer])

urlpatterns = [
    path("v1/", include(version_1)),
    path("schema/", schema, name="schema"),
    # People come here by browser: who is not signed in is sent to the login page.
    path("docs/", login_required(SpectacularSwaggerSplitView.as_view(url_name="api:schema")), name="docs"),
    re_path("", Nowhere.as_view()),
]
