"""Pictures of every page, at two widths, light and dark: `python -m tests.screenshots ADDRESS USER PASSWORD FOLDER`.

Asks a server that runs (`make run`) for its first site, or the one named by --site. Nothing is decided; the item that
the review page holds is given back when the page closes.
"""

import argparse
import io
import json
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser import launched

SIZES = {1440: 900, 1024: 768}
THEMES = ("light", "dark")
# {name of the picture: address}; what stands in braces is looked up once.
PAGES = {
    "review": "/sites/{site}/review/",
    "queue": "/sites/{site}/queue/",
    "catalogue": "/sites/{site}/events/",
    "event": "/events/{event}/",
    "record": "/sites/{site}/record/",
    "map": "/sites/{site}/map/",
    "progress": "/sites/{site}/progress/",
    "agreement": "/sites/{site}/agreement/",
    "matrices": "/sites/{site}/matrices/",
    "runs": "/sites/{site}/runs/",
    "run": "/runs/{run}/",
    "models": "/sites/{site}/models/",
    "model": "/models/{model}/",
    "encoder": "/models/{encoder}/",
    "sites": "/",
}


def take(address: str, user: str, password: str, folder: Path, site: str = "", only: tuple[str, ...] = ()) -> None:
    """Write {page}-{width}-{theme}.png for each page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with launched() as browser:
        for theme in THEMES:
            for width, height in SIZES.items():
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
                page = context.new_page()
                sign_in(page, address, user, password)
                places = find_places(page, address, site)
                for name, path in PAGES.items():
                    if not only or name in only:
                        picture(page, address + path.format(**places), folder / f"{name}-{width}-{theme}.png")
                context.close()


def sign_in(page: Page, address: str, user: str, password: str) -> None:
    page.goto(f"{address}/login/")
    page.fill("[name=username]", user)
    page.fill("[name=password]", password)
    page.click("form [type=submit], form button.primary")
    page.wait_for_url(lambda url: "login" not in url)


def find_places(page: Page, address: str, site: str) -> dict[str, int]:
    """Ids of a site, one of its events, its newest run, its newest model and encoder."""

    def first(path: str) -> int:
        found = json.loads(page.request.get(f"{address}/api/v1/{path}").body())["results"]
        return found[0]["id"] if found else 0

    site_id = first(f"sites/?name={site}")
    item = json.loads(page.request.get(f"{address}/api/v1/review-items/?site={site_id}&page_size=1").body())["results"]
    return {
        "site": site_id,
        "event": item[0]["event"] if item else first(f"events/?site={site_id}"),
        "run": first(f"runs/?site={site_id}"),
        "model": first(f"models/?site={site_id}&kind=classifier"),
        "encoder": first(f"models/?site={site_id}&kind=encoder"),
    }


def picture(page: Page, address: str, path: Path) -> None:
    """The window as a user sees it once all is drawn, in 256 colours."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    if "/review/" in address:
        page.wait_for_selector("#review:not([data-state=loading]):not([data-state=busy])")
    if "/map/" in address:  # with what the points mode says of one
        page.locator("#map").press("p")
        page.wait_for_selector("#card[data-state=ready]")
    page.wait_for_timeout(400)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", help="such as http://127.0.0.1:8000")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--site", default="", help="part of the site's name")
    parser.add_argument("--only", default="", help="names of pages with commas: " + ",".join(PAGES))
    given = parser.parse_args()
    take(
        given.address.rstrip("/"),
        given.user,
        given.password,
        given.folder,
        given.site,
        tuple(word for word in given.only.split(",") if word),
    )
