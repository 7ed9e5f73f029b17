/** From one event to the next: asks for it, shows it, keeps the following ones ready. */
import { get, post } from "./api.js";
import { h } from "./dom.js";
import { drawAhead, drawFrame, drawMore, drawPanel, firstStation, progress, stationName } from "./drawing.js";
import { asking, filterOf, queryOf } from "./filter.js";
import { Lease } from "./lease.js";
import { fetchFirst } from "./screen.js";
import { ITEMS, nothingMore, now, page, part, say, setState, site, state, trouble, watch } from "./state.js";

const READY_AHEAD = 3;
// How long an event that was passed over stays away.
const LEFT_FOR_S = 600;

export const filter = filterOf(location.search);
export const lease = new Lease(Number(page.dataset.leaseS), (error) => trouble(
    `You no longer hold this event: ${error.message} Your decision still counts if nobody else decides first.`, { stays: true }));

// What the page's parts call of each other; `review.js` fills it.
const wired = {};

/** `keymap` names keys, `does` is what buttons do, `around` the surroundings. */
export function connect(parts) {
    Object.assign(wired, parts);
}

/** {action: words of its key} as the user has them. */
export const keysNow = () => wired.keymap.words;

export async function next(first = null) {
    try {
        await arrive(first ? { item: await post(`${ITEMS}/${first}/take/`) } : await post(`${ITEMS}/next/`, asking({ site }, filter)));
    } catch (error) {
        showFailure(error);
    }
}

/** Shows what the API handed over, or that there is nothing. */
export async function arrive({ item, counts = item.counts }) {
    now.counts = counts;
    await (item ? show(item) : showEmpty());
}

async function show(item) {
    // After a blind decision the same event is decided again: what was said of it holds.
    Object.assign(now, { back: null, more: now.item?.id === item.id ? now.more : nothingMore() });
    lease.hold(item.id);
    await look(item);
    watch.start();
    setState("ready");
    part("event-name").focus({ preventScroll: true });
    prefetch();
}

/** Puts an event on the screen, held or not. */
export async function look(item) {
    Object.assign(now, { item, panels: item.panels, station: 0, map: 0, change: null, typed: "", span: null, cursor: null });
    part("rest").replaceChildren();
    part("reason-box").hidden = true;
    part("reason-box").replaceChildren();
    part("opinions").hidden = true;
    setState("busy"); // there is something to see now, so that the drawing finds its place
    await showStation(firstStation(item));
}

export async function showStation(station) {
    now.station = station;
    now.panel = now.panels.length ? await fetchFirst(now.panels[station].url) : null;
    now.map = Math.min(now.map, Math.max(0, (now.panel?.maps.length ?? 0) - 1));
    await redraw();
    wired.around.look(now.item, stationName());
    now.panel?.complete().catch((error) => trouble(error.message));
}

/** Draws everything anew that depends on the event, the station, the map, or the colours. */
export async function redraw() {
    const { panel } = now;
    if (panel && (now.map > 0 || now.sameScale)) await panel.complete();
    if (panel !== now.panel) return; // another event came meanwhile
    drawFrame(wired.keymap.words, wired.does);
    await drawPanel(wired.keymap.words, wired.does);
    wired.after?.();
}

/** Draws the line of what goes with the decision. */
export function redrawMore() {
    drawMore(wired.keymap.words, wired.does);
}

export function showMap(map) {
    now.map = map;
    return redraw();
}

// What was fetched of events to come, by their item's id: what is shown in the end comes with the lease, fresh.
let foreseen = new Map();

/** Fetches the events that are likely to come next with their panels, and draws the first, so that it waits for nobody. */
async function prefetch() {
    await painted();
    const query = queryOf({ site, waiting: true, page_size: READY_AHEAD + 1, ...filter });
    const waiting = await get(`${ITEMS}/?${query}`).catch(() => ({ results: [] }));
    const likely = waiting.results.filter(({ id }) => id !== now.item?.id).slice(0, READY_AHEAD);
    foreseen = new Map(likely.map(({ id, url }) => [id, foreseen.get(id) ?? get(url).catch(() => null)]));
    const shown = now.item?.id;
    for (const [place, coming] of [...foreseen.values()].entries()) {
        const item = await coming;
        if (item === null || now.item?.id !== shown) continue;
        if (place === 0) await drawAhead(item);
        for (const { url } of item.panels) await fetchFirst(url).then((panel) => panel.complete()).catch(() => {});
    }
}

/** Resolves when the browser has painted what was drawn. */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/** Runs `action`, then goes on to the event that it hands over, or to the next. On a refusal the event stays, with everything typed. */
export async function leaving(action, onRefused = (error) => trouble(error.message)) {
    if (state() === "busy") return;
    const before = state();
    const pressed = performance.now();
    setState("busy");
    trouble("");
    let leased;
    try {
        leased = await action();
    } catch (error) {
        setState(before);
        onRefused(error);
        return;
    }
    lease.held = null;
    await (leased ? arrive(leased).catch(showFailure) : next());
    // For whoever measures: from the key press until the next event was drawn.
    page.dataset.lastStepMs = String(Math.round(performance.now() - pressed));
    page.dataset.steps = String(Number(page.dataset.steps ?? 0) + 1);
}

function showEmpty() {
    lease.held = null;
    now.item = null;
    wired.around.rest();
    const name = page.dataset.siteName;
    const isFiltered = Object.keys(filter).length > 0;
    part("rest").replaceChildren(h("div", { class: "empty card" }, h("h1", {}, "Nothing is waiting for you"),
        h("p", {}, progress(), ". ", isFiltered ? "No other event passes the filter above; clear it to go on with the others. " : "",
            "Postponed events and those that others hold come back later. ",
            "New questions come when a model disagrees with a label: ", h("code", {}, `python manage.py classify "${name}"`)),
        h("p", {}, h("button", { type: "button", class: "primary", onclick: () => next() }, "Ask again"), " ",
            h("a", { class: "button", href: `/sites/${site}/queue/` }, "Queue"))));
    setState("empty");
}

export function showFailure(error) {
    trouble(error.message);
    part("rest").replaceChildren(h("p", {}, h("button", { type: "button", onclick: () => { trouble(""); next(); } }, "Ask for the next event")));
    setState("failed");
}

/** Gives the event back undecided, and takes another. */
export function withoutDeciding() {
    const { item } = now;
    return leaving(async () => {
        // Given back, it would be the most valuable one again.
        await post(`${ITEMS}/${item.id}/skip/`, { postpone_s: LEFT_FOR_S });
        say("Left ", h("bdi", {}, item.event.event_id), " undecided; it comes again in ten minutes.");
        return null;
    });
}
