"""python -m tests.benchmarks.review_page: the review page in Chromium, from key press to the next event fully drawn.

Real key presses on a real server with 300 events in the queue. A step ends when everything of the next event is drawn
and two pictures have been painted since. The first visit starts with an empty cache, in a window that stands open.
"""

import gzip
import statistics
import urllib.request
from typing import Any

from tests.benchmarks.review_home import Served, served_review
from tests.browser import launched, window

STEPS, RUSHED, VISITS = 60, 30, 7
# Between two decisions an expert looks; meanwhile the next events are fetched and the first is drawn.
LOOK_MS = 1_500
# Name and password are not typed faster.
TYPING_MS = 3_000
AIMS = {"step_ms": 100, "visit_ms": 1_500, "payload_kb": 200}
# Notes when a key was pressed, when a step ended, when the page was ready, and when Plotly had been read.
WATCH = """(() => {
    window.seen = { pressed: 0, steps: [], ready: null, plotly: null };
    addEventListener("keydown", (event) => { seen.pressed = event.timeStamp; }, { capture: true });
    let plotly;
    Object.defineProperty(window, "Plotly", { configurable: true, get: () => plotly,
        set(given) { plotly = given; seen.plotly ??= performance.now(); } });
    const painted = (then) => requestAnimationFrame(() => requestAnimationFrame(() => then(performance.now())));
    addEventListener("DOMContentLoaded", () => {
        const page = document.getElementById("review");
        const root = document.documentElement;
        if (!page) return;
        let steps = page.dataset.steps;
        new MutationObserver(() => {
            if (page.dataset.state === "ready" && seen.ready === null) {
                painted((at) => { seen.ready ??= at; root.dataset.seenReady = "yes"; });
            }
            if (page.dataset.steps === steps) return;
            steps = page.dataset.steps;
            const { pressed } = seen;
            painted((at) => { root.dataset.seenSteps = seen.steps.push(at - pressed); });
        }).observe(page, { attributes: true });
    });
})()"""


def main() -> None:
    with served_review() as served, launched() as browser:
        print(payloads(served))
        print(first_visits(browser, served))
        print(line("first visit, by way of the login page", "ms", signed_in_visits(browser, served), AIMS["visit_ms"]))
        print(steps(browser, served, "an expert who looks 1.5 s at each", STEPS, LOOK_MS))
        print(steps(browser, served, "pressed as soon as the event is there", RUSHED, 0))


def line(what: str, unit: str, values: list[float], aim: float | None = None) -> str:
    """Median, 90th percentile and worst of some measurements."""
    ordered = sorted(values)
    p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    said = f"{what}: median {statistics.median(ordered):,.0f} {unit}, 90 % below {p90:,.0f}, worst {ordered[-1]:,.0f}"
    return said if aim is None else f"{said} (aim: median at most {aim:,.0f})"


def opened(browser: Any, served: Served, *, typing_ms: float = 0) -> Any:
    """The review page with nothing in the cache, ready; with `typing_ms`, after so long on the login page."""
    context = window(browser)
    context.add_init_script(WATCH)
    page = context.new_page()
    if typing_ms:
        page.goto(f"{served.address}/login/")
        page.wait_for_timeout(typing_ms)
    context.add_cookies([{"name": "sessionid", "value": served.session, "url": served.address}])
    page.goto(f"{served.address}/sites/{served.site}/review/")
    # Not by evaluating texts, which the page's own rules forbid.
    page.wait_for_selector("html[data-seen-ready]", timeout=60_000)
    return page


def first_visits(browser: Any, served: Served) -> str:
    """From the address to the first event, and what of it goes to Plotly."""
    ready, fetched, read, kilobytes = [], [], [], []
    for _ in range(VISITS):
        page = opened(browser, served)
        found = page.evaluate("""() => {
            const files = performance.getEntriesByType("resource");
            const file = files.find(({ name }) => name.includes("plotly"));
            const all = files.reduce((sum, { transferSize }) => sum + transferSize, 0);
            return { ready: seen.ready, start: file.startTime, end: file.responseEnd, plotly: seen.plotly,
                bytes: file.transferSize, all };
        }""")
        ready.append(found["ready"])
        fetched.append(found["end"] - found["start"])
        read.append(max(0.0, found["plotly"] - found["end"]))
        kilobytes.append((found["bytes"] / 1e3, found["all"] / 1e3))
        page.context.close()
    plotly, everything = kilobytes[-1]
    return "\n".join(
        [
            line("first visit, empty cache, until the event is drawn", "ms", ready, AIMS["visit_ms"]),
            line(f"  of it Plotly ({plotly:,.0f} of {everything:,.0f} kB transferred): on its way", "ms", fetched),
            line("  of it Plotly: read and run after that", "ms", read),
        ]
    )


def signed_in_visits(browser: Any, served: Served) -> list[float]:
    """From the address to the first event, as everybody comes for the first time: the login page fetches ahead."""
    ready = []
    for _ in range(VISITS):
        page = opened(browser, served, typing_ms=TYPING_MS)
        ready.append(page.evaluate("seen.ready"))
        page.context.close()
    return ready


def steps(browser: Any, served: Served, who: str, count: int, look_ms: float) -> str:
    """Confirm by Enter, again and again."""
    page = opened(browser, served)
    page.wait_for_timeout(LOOK_MS)
    for number in range(count):
        page.keyboard.press("Enter")
        page.wait_for_selector(f"html[data-seen-steps='{number + 1}']", timeout=30_000)
        page.wait_for_timeout(look_ms)
    found = page.evaluate("seen.steps")
    page.context.close()
    return line(f"key press to next event fully drawn, {who}, {count} events", "ms", found, AIMS["step_ms"])


def payloads(served: Served) -> str:
    """What a panel weighs on its way, compressed as the server compresses it: whole, and in the page's two parts."""
    said = []
    for what, part, aim in (
        ("stored panel, 3 × 65 × 95 cells, two maps", "", None),
        ("what the page draws first", "?part=first", AIMS["payload_kb"]),
        ("the other map, fetched after that", "?part=other-maps", AIMS["payload_kb"]),
    ):
        bodies = [_fetched(served, f"/api/v1/explanations/{number}/panel/{part}") for number in range(1, 25)]
        plain = statistics.median(len(gzip.decompress(body)) for body in bodies) / 1e3
        sizes = [len(body) / 1e3 for body in bodies]
        said.append(f"{line(f'{what}, gzip', 'kB', sizes, aim)}; {plain:,.0f} kB as read")
    return "\n".join(said)


def _fetched(served: Served, path: str) -> bytes:
    """The body as it travels, compressed."""
    headers = {"Cookie": f"sessionid={served.session}", "Accept-Encoding": "gzip"}
    request = urllib.request.Request(served.address + path, headers=headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
        return answer.read()


if __name__ == "__main__":
    main()
