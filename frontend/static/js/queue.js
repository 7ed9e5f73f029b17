/** The queue page: numbers that stay fresh while somebody looks, and selections kept under a name. */
import { get, post, remove } from "./api.js";
import { h } from "./dom.js";

const PAUSE_MS = 5000;

/** Puts fresh numbers into the parts of the page that name where they come from. A hidden page asks nothing. */
async function refresh() {
    if (document.hidden) return;
    for (const part of document.querySelectorAll("[data-counts]")) {
        // Without a connection the numbers stay as they are: the next turn tells.
        const counts = await get(part.dataset.counts).catch(() => null);
        if (counts) show(part, { ...counts, ...counts.by_reason });
    }
}

function show(part, numbers) {
    for (const element of part.querySelectorAll("[data-count]")) {
        element.textContent = String(numbers[element.dataset.count] ?? 0);
    }
    const stale = document.getElementById("stale");
    if (part.matches("nav") && stale) sayIfStale(stale, numbers[stale.dataset.reason] ?? 0);
}

/** The list itself is not moved under the reader's eyes: they are told that there is another. */
function sayIfStale(element, number) {
    const isStale = String(number) !== element.dataset.shown;
    if (isStale === element.hasChildNodes()) return;
    element.replaceChildren(...(isStale ? ["The list has changed. ", h("a", { href: location.href }, "Show it as it is now")] : []));
}

function say(text) {
    document.getElementById("saved-status").textContent = text;
}

async function trying(action) {
    try {
        await action();
    } catch (error) {
        say(error.message);
    }
}

function save(event) {
    event.preventDefault();
    const query = JSON.parse(document.getElementById("chosen").textContent);
    const name = document.getElementById("save-name").value.trim();
    const site = Number(document.getElementById("saved").dataset.site);
    return trying(async () => {
        await post("/api/v1/saved-filters/", { site, name, query });
        location.reload();
    });
}

function forget(event) {
    const button = event.target.closest("[data-forget]");
    if (!button) return;
    trying(async () => {
        await remove(`/api/v1/saved-filters/${button.dataset.forget}/`);
        button.closest("li").remove();
        say("Forgotten.");
    });
}

document.getElementById("save")?.addEventListener("submit", save);
document.getElementById("saved")?.addEventListener("click", forget);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, PAUSE_MS);
