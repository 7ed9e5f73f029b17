/** Puts the event that is held (or looked at again) on the screen, and keeps the next ones ready. */
import { Ahead } from "./ahead.js";
import { decisionButtons, moreButtons } from "./decision.js";
import { h } from "./dom.js";
import { className, eventHead } from "./header.js";
import { followZoom, refreshNow } from "./over.js";
import { outside } from "./plots.js";
import { draw, fetchFirst, ink, showsAllHeights } from "./screen.js";
import { now, part } from "./state.js";
import { checkBadges, checkLines, mapName, mapWords } from "./words.js";

const ahead = new Ahead(part("plot"), part("plot-ahead"));
const followed = new WeakSet();

export const nameOf = (code) => className(now.item, code);

/** The index of the station that an event is looked at first. */
export function firstStation({ panels, event }) {
    return Math.max(0, panels.findIndex(({ station }) => station === event.station));
}

export function stationName() {
    return now.panels[now.station]?.station ?? now.item?.event.station ?? null;
}

/** What a drawing depends on beside its size. */
function keyOf(item, station, map) {
    return JSON.stringify([item.id, item.panels[station].sha256, map, now.decibels, now.overlay, now.sameScale, ink()]);
}

/** How a map is drawn: its heading, how long a zoom is kept, the colours. */
function looks(item, station, map) {
    return { what: map ? mapName(map, (code) => className(item, code)) : "", view: { time: `${item.id} ${station}`, height: "sitting" },
        decibels: now.decibels, overlay: now.overlay, sameScale: now.sameScale };
}

/** Draws the first panel of an item out of sight. */
export async function drawAhead(item) {
    const station = firstStation(item);
    const panel = item.panels.length ? await fetchFirst(item.panels[station].url).catch(() => null) : null;
    if (!panel) return;
    if (now.sameScale) await panel.complete();
    await ahead.prepare(keyOf(item, station, 0), (element) => draw(element, panel, 0, looks(item, station, panel.maps[0])));
}

/** The frame around the drawing: head, buttons, counts. `does` as in `decisionButtons`, with onStation and onHistory. */
export function drawFrame(keys, does) {
    const { item } = now;
    const stations = now.panels.length ? now.panels.map(({ station }) => station) : [item.event.station ?? "no station"];
    const problems = now.panel ? [...now.panel.about.problems, ...outside(now.panel)] : [];
    part("event-head").replaceChildren(...eventHead(item, { stations, station: now.station, problems, keys, onStation: does.onStation,
        onHistory: () => does.run("history") }));
    part("buttons").replaceChildren(...decisionButtons(item, { keys, does }));
    drawMore(keys, does);
}

/** The line of what goes with the decision. */
export function drawMore(keys, does) {
    part("more").replaceChildren(...moreButtons(now.item, now.more, { keys, does }));
    part("progress").textContent = progress();
}

export function progress() {
    return now.counts ? `${now.counts.done} reviewed, ${now.counts.open} left` : "";
}

/** Draws the panel on the screen, unless it lies ready. Resolves when it can be seen. */
export async function drawPanel(keys, does) {
    const { panel, item } = now;
    part("checks").replaceChildren();
    if (!panel) return drawNothing();
    const map = panel.maps[now.map];
    part("maps").replaceChildren(...mapButtons(keys, does));
    part("words").replaceChildren(...(map ? mapWords(panel, now.map, nameOf) : []));
    if (map) drawChecks();
    const isReady = showsAllHeights(ahead.shown, panel) && ahead.take(keyOf(item, now.station, now.map));
    if (!isReady) await draw(ahead.shown, panel, now.map, looks(item, now.station, map));
    for (const element of [ahead.shown, ahead.hidden]) follow(element);
    refreshNow();
}

function follow(element) {
    if (followed.has(element) || !element.on) return;
    followed.add(element);
    followZoom(element);
}

function drawNothing() {
    window.Plotly?.purge(part("plot"));
    part("plot").replaceChildren(h("p", { class: "empty muted" }, "No panel is stored for this event: the model could not look at it. ",
        "Why is said above; decide from the surroundings, or put it off."));
    for (const id of ["words", "maps", "account"]) part(id).replaceChildren();
    refreshNow();
}

function drawChecks() {
    const { panel, item } = now;
    const randomisation = item.prediction?.model.randomisation ?? null;
    const isOpen = localStorage.getItem("account") === "open";
    part("account").replaceChildren(...(isOpen ? checkLines(panel, now.map, randomisation) : []));
    part("checks").replaceChildren(...checkBadges(panel, now.map, randomisation),
        h("button", { type: "button", class: "quiet small", id: "account-button", "aria-expanded": String(isOpen), "aria-controls": "account",
            onclick: turnAccount }, "figures"));
}

function turnAccount() {
    localStorage.setItem("account", localStorage.getItem("account") === "open" ? "shut" : "open");
    drawChecks();
    part("account-button").focus();
}

/** One for each map: the predicted class, the one that it is held against, and their difference. */
function mapButtons(keys, { onMap }) {
    const { maps } = now.panel;
    if (!maps.length) return [h("span", { class: "muted" }, "shown when you have decided")];
    const own = [keys["map-predicted"], keys["map-label"], keys["map-difference"]];
    return maps.map((map, i) => h("button", { type: "button", "aria-pressed": String(i === now.map), onclick: () => onMap(i) },
        h("kbd", {}, own[i]), mapName(map, nameOf)));
}
