"""python -m tests.benchmarks.pool_map: 50,000 points in Chromium, by the map's own canvas and by Plotly's scatter.

The same points on a real server, in one browser: the first drawing, pictures while the pointer drags the map, and from
a move of the pointer to the picture that names the point below it. Plotly draws SVG. `--points N` for other numbers.
"""

import argparse
import statistics
from typing import Any

import numpy as np

from tests.benchmarks.review_home import Served, served_review
from tests.browser import launched, window

POINTS, EVENTS = 50_000, 300
VISITS, MOVES, HOVERS = 3, 90, 40
# Frames as they come; and when what names a point has changed and been painted, from the pointer's last move.
WATCH = """(() => {
    window.seen = { frames: [], hovers: [], moved: 0 };
    const frame = (at) => { if (seen.isOn) seen.frames.push(at); requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    addEventListener("pointermove", ({ timeStamp }) => { seen.moved = timeStamp; }, { capture: true });
    addEventListener("mousemove", ({ timeStamp }) => { seen.moved = timeStamp; }, { capture: true });
    window.watchHover = (element) => new MutationObserver(() => {
        const { moved } = seen;
        if (moved && seen.said !== moved) {
            seen.said = moved;
            requestAnimationFrame(() => { const sent = new MessageChannel();
                sent.port1.onmessage = () => seen.hovers.push(performance.now() - moved);
                sent.port2.postMessage(0); });
        }
    }).observe(element, { attributes: true, childList: true, subtree: true, characterData: true });
})()"""
PAINTED = "new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(() => then(performance.now()))))"
PLOTLY = """async (traces) => {
    const box = document.createElement("div");
    Object.assign(box.style, { width: "925px", height: "610px" });
    document.body.replaceChildren(box);
    // After a pause: what a debugger evaluates is free from the page's policy until then.
    await new Promise((then) => setTimeout(then, 50));
    const begun = performance.now();
    const drawn = traces.map(({ x, y, colour, symbol, size }) => ({ type: "scatter", mode: "markers", x, y,
        marker: { color: colour, symbol, size, line: { width: 0 } }, hoverinfo: "x+y" }));
    await Plotly.newPlot(box, drawn, { dragmode: "pan", hovermode: "closest", margin: { l: 0, r: 0, t: 0, b: 0 },
        showlegend: false, xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: "x" } },
    { displayModeBar: false });
    const ended = await PAINTED;
    watchHover(box.querySelector(".hoverlayer"));
    return ended - begun;
}""".replace("PAINTED", PAINTED)


def main(points: int) -> None:
    with served_review(EVENTS) as served:
        number, places, group = fill(served, points)
        with launched() as browser:
            own = of_the_map(browser, served, number)
            print(f"{points:,} points, {EVENTS} of them events, in {browser.version}")
            say("the map's canvas", own)
            traces = as_traces(places, group)
            say("Plotly scatter (SVG)", of_plotly(browser, served, traces), own)


def fill(served: Served, points: int) -> tuple[int, Any, Any]:
    """A map of the site's events and of windows; its id, places and groups (0 are windows)."""
    from labelapp.catalogue.models import Site
    from labelapp.learning.maps import tensors_of
    from tests.labelapp.learning.maps import make_map

    site = Site.objects.get(pk=served.site)
    made = make_map(site, site.models.first(), points=points, events=site.events.all())
    tensors = tensors_of(made)
    return made.pk, tensors["places"], np.where(tensors["event"] < 0, 0, 1)


def as_traces(places: Any, group: Any) -> list[dict[str, Any]]:
    """Windows as small grey points, events as the map draws them."""
    looks = [("#8a969e", "circle", 3), ("#E69F00", "square", 6)]
    return [
        {"x": places[group == number, 0].tolist(), "y": places[group == number, 1].tolist(),
         "colour": colour, "symbol": symbol, "size": size}
        for number, (colour, symbol, size) in enumerate(looks)
    ]  # fmt: skip


def opened(browser: Any, served: Served, path: str) -> Any:
    context = window(browser)
    context.add_init_script(WATCH)
    context.add_cookies([{"name": "sessionid", "value": served.session, "url": served.address}])
    page = context.new_page()
    page.goto(served.address + path)
    return page


def of_the_map(browser: Any, served: Served, number: int) -> dict[str, list[float]]:
    """First visits with an empty cache, then panning and hovering on the last."""
    found: dict[str, list[float]] = {"visit": [], "drawing": []}
    for visit in range(VISITS):
        page = opened(browser, served, f"/maps/{number}/")
        page.wait_for_selector("#map[data-state=ready]", timeout=60_000)
        page.evaluate(PAINTED)
        read, drawn = page.evaluate("""() => [performance.getEntriesByName("map read")[0].startTime,
            ...performance.getEntriesByName("map drawn").map((one) => one.startTime + one.duration)].slice(0, 2)""")
        found["visit"].append(drawn)
        found["drawing"].append(drawn - read)
        if visit < VISITS - 1:
            page.context.close()
    page.evaluate("watchHover(document.querySelector('.map-tag'))")
    # This site has points, but no recordings.
    page.route("**/record/**", lambda route: route.fulfill(status=404, json={"detail": "no record"}))
    found |= moved(page, "#map-frame")
    drawings = page.evaluate("performance.getEntriesByName('map drawn').map(({ duration }) => duration)")
    found["script"] = drawings[-MOVES // 2 :]
    page.context.close()
    return found


def plotly(browser: Any, served: Served, traces: Any) -> tuple[Any, float]:
    """A page on which Plotly drew, and how long that took in ms."""
    page = opened(browser, served, "/")
    page.add_script_tag(url="/static/plotly/plotly.min.js")
    return page, page.evaluate(PLOTLY, traces)


def of_plotly(browser: Any, served: Served, traces: Any) -> dict[str, list[float]]:
    """As often as the map, in a new page each time; panning and hovering on the last."""
    found: dict[str, list[float]] = {"drawing": []}
    for visit in range(VISITS):
        page, took = plotly(browser, served, traces)
        found["drawing"].append(took)
        if visit < VISITS - 1:
            page.context.close()
    found |= moved(page, ".nsewdrag")
    page.context.close()
    return found


def moved(page: Any, selector: str) -> dict[str, list[float]]:
    """Time between pictures while the pointer drags, and from the pointer's move to the name of the point."""
    box = page.locator(selector).first.bounding_box()
    middle_x, middle_y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle_x, middle_y)
    page.mouse.down()
    page.mouse.move(middle_x + 8, middle_y)
    page.evaluate("seen.isOn = true")
    for step in range(MOVES):
        angle = 2 * np.pi * step / MOVES
        page.mouse.move(middle_x + 100 * np.sin(angle), middle_y + 60 * np.cos(angle))
    frames = page.evaluate("(seen.isOn = false, seen.frames)")
    page.mouse.up()
    page.wait_for_timeout(1000)
    generator = np.random.default_rng(0)
    page.evaluate("seen.hovers.length = 0")
    for _ in range(HOVERS):
        x, y = generator.uniform(-0.25, 0.25, 2)
        page.mouse.move(middle_x + x * box["height"], middle_y + y * box["height"])
        page.wait_for_timeout(150)
    return {"panning": np.diff(frames).tolist(), "hover": page.evaluate("seen.hovers")}


WORDS = {
    "visit": "first visit, empty cache, to the first drawing",
    "drawing": "first drawing, the points being there",
    "panning": "from picture to picture while panning",
    "script": "  of it the map's own script",
    "hover": "from the pointer's move to the point's name",
}


def say(what: str, found: dict[str, list[float]], own: dict[str, list[float]] | None = None) -> None:
    """A line for each measurement; of another way also how many times as long it takes."""
    for name, words in WORDS.items():
        if not (ordered := sorted(found.get(name, []))):
            continue
        middle = statistics.median(ordered)
        p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
        line = f"{what}: {words}: median {middle:,.1f} ms, 90 % below {p90:,.1f}"
        ratio = f" ({middle / statistics.median(own[name]):.1f} × the canvas)" if own and own.get(name) else ""
        print(f"{line}, {len(ordered)} times{ratio}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=POINTS)
    main(parser.parse_args().points)
