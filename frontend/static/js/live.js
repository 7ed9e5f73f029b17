/** Keeps marked parts of a page fresh, and lets its buttons speak to the API. The server draws; this only swaps. */
import { post } from "./api.js";
import { h } from "./dom.js";

const PAUSE_MS = 1500;
// A part where nothing moves is asked for so much less often.
const SLOW = 6;
let ticks = 0;

/** Parts to fetch anew now: data-live="on" each time, "slow" now and then; what a reader paused stays as it is. */
function due() {
    ticks += 1;
    const wanted = ticks % SLOW ? "[data-live=on]" : "[data-live=on], [data-live=slow]";
    return [...document.querySelectorAll(wanted)].filter((part) => !isPaused(part));
}

function isPaused(part) {
    return document.querySelector(`[data-pauses="${part.id}"]`)?.getAttribute("aria-pressed") === "true";
}

/** Fetches the page anew and swaps the parts that are due. */
async function refresh() {
    const parts = document.hidden ? [] : due();
    if (parts.length) await fetchAnew(parts);
}

async function fetchAnew(parts) {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!response?.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of parts) renew(part, page.getElementById(part.id));
}

function renew(part, fresh) {
    // A control with the focus waits: a swap would take the focus away under the finger.
    const isPressed = part.contains(document.activeElement) && document.activeElement.matches("button, input, a, summary");
    if (!fresh || isPressed || isPaused(part) || fresh.outerHTML === part.outerHTML) return;
    // What the page waited for is there: other parts of it show it only when it is loaded anew.
    if ("reload" in part.dataset && fresh.dataset.live === "off") location.reload();
    for (const open of part.querySelectorAll("details[id][open]")) fresh.querySelector(`#${open.id}`)?.setAttribute("open", "");
    swap(part, fresh);
}

/** Puts `fresh` in the place of `part`; the log stays where its reader has scrolled it, else it shows its end. */
function swap(part, fresh) {
    const before = part.querySelector("[data-follow]");
    const isAtEnd = !before || before.scrollTop + before.clientHeight >= before.scrollHeight - 4;
    const hadFocus = before !== null && before === document.activeElement;
    const place = before?.scrollTop;
    part.replaceWith(document.adoptNode(fresh));
    const log = fresh.querySelector("[data-follow]");
    if (!log) return;
    log.scrollTop = isAtEnd ? log.scrollHeight : place;
    if (hadFocus) log.focus({ preventScroll: true });
}

function showEndOfLog() {
    const log = document.querySelector("[data-follow]");
    if (log) log.scrollTop = log.scrollHeight;
}

function parameters(form) {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    const isNumber = ({ type, dataset }) => type === "number" || "number" in dataset;
    return Object.fromEntries(given.map(([name, value]) => [name, isNumber(form.elements[name]) ? Number(value) : value]));
}

/** A form with data-post sends data-body, with its own fields as `parameters`, to the API and then goes on. */
async function send(form) {
    const status = form.querySelector("[role=status]");
    const body = JSON.parse(form.dataset.body ?? "{}");
    if ("parameters" in body) body.parameters = parameters(form);
    try {
        status.textContent = "Asking…";
        const made = await post(form.dataset.post, body);
        if ("stays" in form.dataset) return await stay(form, status, made);
        location.assign(form.dataset.then?.replace("ID", made.id) ?? location.href);
    } catch (error) {
        status.textContent = error.message;
    }
    return undefined;
}

/**
 * Says which run was started, and leaves the page as it is: what was chosen on it stays chosen. The part that data-stays
 * names follows the run from now on.
 */
async function stay(form, status, { id }) {
    status.replaceChildren("Started: ", h("a", { href: `/runs/${id}/` }, `run ${id}`), ". This page stays as it is.");
    document.dispatchEvent(new Event("runstarted"));
    await fetchAnew([document.getElementById(form.dataset.stays)]);
}

document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-post]")) return;
    event.preventDefault();
    send(event.target);
});

/** A button with data-pauses holds that part still, so that it can be read. */
document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pauses]");
    if (!button) return;
    const pauses = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pauses));
    button.textContent = pauses ? button.dataset.goOn : button.dataset.pause;
});

showEndOfLog();
setInterval(refresh, PAUSE_MS);
