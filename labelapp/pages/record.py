"""The continuous record of a station, with the events of the catalogue drawn into it."""

from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse

from labelapp.pages.around import site_facts
from labelapp.pages.site import for_viewers, get_site, site_page


@for_viewers
def record(request: HttpRequest, site_id: int) -> HttpResponse:
    """The shell only: the page's module reads ?station= and ?time=, asks the API and draws."""
    site = get_site(site_id)
    stations = site.stations.annotate(first=Min("traces__starttime"), last=Max("traces__endtime"))
    known = [station for station in stations if station.first]
    facts = {**site_facts(site), "stations": [station.seed_id for station in known]}
    return site_page(request, "record", site, stations=known, facts=facts)
