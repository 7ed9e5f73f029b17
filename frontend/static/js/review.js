/** The review page: asks the API for an event, draws it, records the decision, and asks for the next. */
import { Ahead } from "./ahead.js";
import { get, post } from "./api.js";
import { decisionButtons, keyList, reasonBox, REASONS, toggleReason } from "./decision.js";
import { h } from "./dom.js";
import { className, eventHead } from "./header.js";
import { listen } from "./keys.js";
import { Lease } from "./lease.js";
import { outside } from "./plots.js";
import { draw, fetchPanel, ink, keepSize, showsAllHeights, wholeWindow } from "./screen.js";
import { inWords, mapName } from "./words.js";

const ITEMS = "/api/v1/review-items";
const page = document.getElementById("review");
const part = (id) => document.getElementById(id);
const site = Number(page.dataset.site);

// What is on the screen. `change` is the class that waits for a reason; `typed` outlives every error.
const now = { item: null, panels: [], panel: null, station: 0, map: 0, change: null, typed: "", counts: null,
    decibels: localStorage.getItem("stft") === "decibels" };

const ahead = new Ahead(part("plot"), part("plot-ahead"));
const lease = new Lease(Number(page.dataset.leaseS), (error) => trouble(
    `You no longer hold this event: ${error.message} Your decision still counts if nobody else decides first.`));

function setState(state) {
    page.dataset.state = state;
}

function trouble(text) {
    part("trouble").textContent = text;
}

/* ---- getting an event ---- */

async function next(first = null) {
    try {
        await arrive(first ? { item: await post(`${ITEMS}/${first}/take/`) } : await post(`${ITEMS}/next/`, { site }));
    } catch (error) {
        showFailure(error);
    }
}

async function arrive({ item, counts = item.counts }) {
    now.counts = counts;
    await (item ? show(item) : showEmpty());
}

async function show(item) {
    Object.assign(now, { item, panels: item.panels, station: 0, map: 0, change: null, typed: "" });
    now.station = firstStation(item);
    lease.hold(item.id);
    part("rest").replaceChildren();
    setState("busy"); // there is something to see now, so that the drawing finds its place
    await showStation(now.station);
    setState("ready");
    part("event-name").focus({ preventScroll: true });
    prefetch();
}

function firstStation({ panels, event }) {
    return Math.max(0, panels.findIndex(({ station }) => station === event.station));
}

async function showStation(station) {
    now.station = station;
    now.panel = now.panels.length ? await fetchPanel(now.panels[station].url) : null;
    now.map = Math.min(now.map, Math.max(0, (now.panel?.maps.length ?? 0) - 1));
    await redraw();
}

/** The panels of the event that is likely to come next, the first of them drawn, so that it waits for nobody. */
async function prefetch() {
    const waiting = await get(`${ITEMS}/?site=${site}&state=open&page_size=3`).catch(() => ({ results: [] }));
    const likely = waiting.results.find((row) => row.id !== now.item?.id && row.holder === null && !row.postponed_until);
    if (!likely) return;
    const item = await get(likely.url).catch(() => ({ panels: [] }));
    item.panels.forEach(({ url }) => fetchPanel(url).catch(() => {}));
    const station = firstStation(item);
    const panel = item.panels.length ? await fetchPanel(item.panels[station].url).catch(() => null) : null;
    if (panel) ahead.prepare(keyOf(item, station, 0), (element) => draw(element, panel, 0, looks(item, station, panel.maps[0])));
}

/** What a drawing depends on beside its size. */
function keyOf(item, station, map) {
    return JSON.stringify([item.id, item.panels[station].sha256, map, now.decibels, ink()]);
}

/** How a map is drawn: its heading, how long a zoom is kept, the colours of the STFT. */
function looks(item, station, map) {
    return { what: mapName(map, (code) => className(item, code)), view: { time: `${item.id} ${station}`, height: "sitting" },
        decibels: now.decibels };
}

function showEmpty() {
    lease.held = null;
    now.item = null;
    const name = page.dataset.siteName;
    const last = h("p", { class: "message" }, ...part("done").cloneNode(true).childNodes);
    part("rest").replaceChildren(last, h("div", { class: "empty card" }, h("h1", {}, "Nothing is waiting for you"),
        h("p", {}, progress(), ". Postponed events and those that others hold come back later. ",
            "New questions come when a model disagrees with a label: ", h("code", {}, `python manage.py classify "${name}"`)),
        h("p", {}, h("button", { type: "button", class: "primary", onclick: () => next() }, "Ask again"), " ",
            h("a", { class: "button", href: `/sites/${site}/queue/` }, "Queue"))));
    setState("empty");
}

function showFailure(error) {
    trouble(error.message);
    part("rest").replaceChildren(h("p", {}, h("button", { type: "button", onclick: () => { trouble(""); next(); } }, "Ask for the next event")));
    setState("failed");
}

/* ---- drawing it ---- */

/** What the map on the screen speaks for, or null. */
function explained() {
    return now.panel ? nameOfMap(now.panel.maps[now.map]) : null;
}

function nameOfMap(map) {
    return mapName(map, (code) => className(now.item, code));
}

function progress() {
    return now.counts ? `${now.counts.done} reviewed, ${now.counts.open} left` : "";
}

function drawFrame() {
    const stations = now.panels.length ? now.panels.map(({ station }) => station) : [now.item.event.station ?? "no station"];
    const problems = now.panel ? [...now.panel.about.problems, ...outside(now.panel)] : [];
    part("event-head").replaceChildren(...eventHead(now.item, { stations, station: now.station, problems, onStation: showStation }));
    part("buttons").replaceChildren(...decisionButtons(now.item, progress(),
        { onClass: choose, onConfirm: confirm, onSkip: skip, onKeys: showKeys }));
    drawReasonBox();
}

function drawReasonBox() {
    const box = part("reason-box");
    box.hidden = now.change === null;
    box.replaceChildren(...(box.hidden ? [] : reasonBox(now.item, now.change, now.typed,
        { onReason: pickReason, onCancel: cancelChange })));
}

async function redraw() {
    drawFrame();
    if (!now.panel) {
        window.Plotly.purge(part("plot"));
        part("plot").replaceChildren(h("p", { class: "empty muted" }, "No panel is stored for this event: the model could not look at it. ",
            "Why is said above; decide from the catalogue page, or skip."));
        part("words").replaceChildren();
        part("maps").replaceChildren();
        return;
    }
    part("maps").replaceChildren(...mapButtons());
    part("words").replaceChildren(...inWords(now.panel, now.map, (code) => className(now.item, code)));
    const isAhead = showsAllHeights(ahead.shown, now.panel) && ahead.take(keyOf(now.item, now.station, now.map));
    if (!isAhead) await draw(ahead.shown, now.panel, now.map, looks(now.item, now.station, now.panel.maps[now.map]));
}

/* ---- deciding ---- */

function choose(code) {
    if (now.item.event.label === null || code === now.item.event.label) return decide(code, "");
    now.change = code;
    setState("reason");
    drawReasonBox();
    // Not into the field: the reasons have keys of their own.
    part("reason-box").scrollIntoView({ block: "nearest" });
    document.activeElement?.blur();
    return undefined;
}

function confirm() {
    if (now.item.event.label === null) return trouble("This event has no label that could be confirmed. Give it one with a class key.");
    return decide(now.item.event.label, "");
}

function pickReason(text) {
    now.typed = toggleReason(now.typed, text);
    drawReasonBox();
}

function cancelChange() {
    now.change = null;
    setState("ready");
    drawReasonBox();
}

function submitChange() {
    if (now.change !== null) decide(now.change, now.typed.trim());
}

async function decide(code, reason) {
    const { item } = now;
    await leaving(async () => {
        const { relabel, next: leased } = await post(`${ITEMS}/${item.id}/decide/`, {
            event_class: code, reason, prediction: item.prediction?.id ?? null, next: true,
            panels: Object.fromEntries(item.panels.map((panel) => [panel.station, panel.sha256])),
        });
        part("done").replaceChildren(...decided(item, relabel));
        return leased;
    });
}

function skip() {
    const { item } = now;
    return leaving(async () => {
        await post(`${ITEMS}/${item.id}/skip/`);
        part("done").replaceChildren("Skipped ", h("a", { href: `/events/${item.event.id}/` }, h("bdi", {}, item.event.event_id)), "; it comes again later.");
    });
}

/** Runs `action`, then goes on to the event that it hands over, or to the next. On a refusal the event stays, with everything typed. */
async function leaving(action) {
    if (page.dataset.state === "busy") return;
    const state = page.dataset.state;
    const pressed = performance.now();
    setState("busy");
    trouble("");
    let leased;
    try {
        leased = await action();
    } catch (error) {
        trouble(error.message);
        setState(state);
        return;
    }
    lease.held = null;
    await (leased ? arrive(leased).catch(showFailure) : next());
    // For whoever measures: from the key press until the next event was drawn.
    page.dataset.lastStepMs = String(Math.round(performance.now() - pressed));
    page.dataset.steps = String(Number(page.dataset.steps ?? 0) + 1);
}

function decided(item, relabel) {
    const words = relabel.from_class === relabel.to_class
        ? `${className(item, relabel.to_class)} confirmed`
        : `${relabel.from_class ? className(item, relabel.from_class) : "no label"} → ${className(item, relabel.to_class)} recorded`;
    return [h("span", { "data-decision": relabel.sequence }, h("bdi", {}, item.event.event_id), `: ${words}, `,
        h("a", { href: `/events/${item.event.id}/#relabel-${relabel.sequence}` }, `#${relabel.sequence}`))];
}

/* ---- looking ---- */

/** One for each map: the predicted class, the one that it is held against, and their difference. */
function mapButtons() {
    const buttons = now.panel.maps.map((map, i) => h("button", { type: "button", "aria-pressed": String(i === now.map),
        onclick: () => showMap(i) }, nameOfMap(map)));
    return [...buttons, buttons.length > 1 ? h("kbd", {}, "R") : ""];
}

function showMap(map) {
    now.map = map;
    redraw();
}

function turnRelevance() {
    if (!now.panel) return;
    const { maps } = now.panel;
    if (maps.length < 2) return trouble(`Only ${explained()} is explained: prediction and label are the same.`);
    showMap((now.map + 1) % maps.length);
}

function nextStation() {
    if (now.panels.length > 1) showStation((now.station + 1) % now.panels.length);
}

function turnColours() {
    now.decibels = !now.decibels;
    localStorage.setItem("stft", now.decibels ? "decibels" : "linear");
    redraw();
}

function showWhole() {
    if (now.panel) wholeWindow(part("plot"), now.panel);
}

function showKeys() {
    const lines = keyList(now.item).flatMap(([key, meaning]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, meaning)]);
    part("keys").replaceChildren(h("h2", { id: "keys-title" }, "Keys"), h("dl", {}, lines),
        h("form", { method: "dialog" }, h("button", {}, "Close")));
    part("keys").showModal();
}

/* ---- keys ---- */

function bindings() {
    if (part("keys").open) return {};
    const state = page.dataset.state;
    if (state === "reason") {
        const reasons = REASONS.map(({ key, text }) => [key, () => pickReason(text)]);
        return { ...classKeys(), ...Object.fromEntries(reasons), Enter: submitChange, Escape: cancelChange, "?": showKeys };
    }
    if (state !== "ready") return { "?": showKeys };
    return { ...classKeys(), Enter: confirm, s: skip, r: turnRelevance, t: nextStation, d: turnColours, 0: showWhole,
        "?": showKeys };
}

function classKeys() {
    return Object.fromEntries(now.item.classes.map(({ key, code }) => [key, () => choose(code)]));
}

part("reason-box").addEventListener("submit", (event) => {
    event.preventDefault();
    submitChange();
});
part("reason-box").addEventListener("input", (event) => {
    now.typed = event.target.value;
});
part("reason-box").addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancelChange();
});
addEventListener("themechange", () => now.item && redraw());
// Back from the browser's memory, the event may be somebody else's by now.
addEventListener("pageshow", (event) => event.persisted && location.reload());

keepSize(part("plot"));
keepSize(part("plot-ahead"));
listen(bindings);
next(page.dataset.item || null);
