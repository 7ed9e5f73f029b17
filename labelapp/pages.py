"""The pages: thin views that render a template."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render


def page(name: str):
    def view(request: HttpRequest, **ids: int) -> HttpResponse:
        return render(request, f"{name}.html", ids)

    return view


sites, queue, review, events, event, models, model, runs, run = map(
    page, ["sites", "queue", "review", "events", "event", "models", "model", "runs", "run"]
)


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})
