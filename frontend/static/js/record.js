/** The continuous record of a station, an hour or less at a time, the catalogue's events drawn into it; missed ones are added. */
import { get, post } from "./api.js";
import { chip, h, utc } from "./dom.js";
import { listen } from "./keys.js";
import { bandControls, imageControls } from "./looks.js";
import { utcOf } from "./moments.js";
import { bandWords, corners, GAINS, neighbour, nextImage, nextPreset, presetsOf, see, seeing } from "./seeing.js";
import { componentLanes } from "./surroundings.js";
import { Timeline } from "./timeline.js";
import { fetchImage, fetchWaves, query } from "./waves.js";

const part = (id) => document.getElementById(id);
const facts = JSON.parse(part("facts").textContent);
const classes = Object.fromEntries(facts.classes.map((one) => [one.code, one]));
const api = `/api/v1/sites/${facts.site.id}`;
const page = part("record");
const LENGTHS_S = [60, 300, 900, 3600];
const STEP = 0.9; // of what is in view, that one key moves
const LONGEST_EVENT_MS = 3.6e6; // an event that began so long before the view may reach into it
const iso = (time) => new Date(time).toISOString();

// What is on the screen; `marked` is the span of an event to be added, { from, to }, either may be null.
const now = { station: null, from: null, length_s: 3600, waves: null, image: null, events: [], spans: [], marked: null, code: null, turn: 0 };

const timeline = new Timeline({ label: "Record", onDrag: mark, onWheel: (factor) => nearer(factor < 1 ? -1 : 1), onDouble: () => nearer(-1) });
part("timeline").append(timeline.element);

const end = () => now.from + 1000 * now.length_s;

/* ---- asking ---- */

/** Shows `station` from `from` (ms); what the address says follows. */
async function go({ station = now.station, from = now.from, length_s: length = now.length_s } = {}) {
    const isOther = station !== now.station;
    Object.assign(now, { station, from, length_s: length });
    if (isOther) now.spans = (await get(`${api}/recorded/${query({ station })}`)).map((span) => [Date.parse(span.starttime), Date.parse(span.endtime)]);
    now.from ??= now.spans[0]?.[0] ?? Date.now();
    part("station").value = now.station;
    part("time").value = iso(now.from);
    part("length").value = String(now.length_s);
    history.replaceState(null, "", query({ station, time: iso(now.from), length_s: now.length_s }));
    await fetchAll();
}

async function fetchAll() {
    const turn = ++now.turn;
    page.dataset.state = "loading";
    part("trouble").hidden = true;
    part("status").textContent = `Reading ${now.station} …`;
    const span = { station: now.station, starttime: iso(now.from), endtime: iso(end()) };
    const [waves, events] = await Promise.all([
        fetchWaves(`${api}/record/${query({ ...span, ...corners() })}`).catch((error) => ({ error })),
        get(`/api/v1/events/${query({ site: facts.site.id, starttime_after: iso(now.from - LONGEST_EVENT_MS), starttime_before: iso(end()), page_size: 1000 })}`)
            .then(({ results }) => results.filter(({ endtime }) => Date.parse(endtime) >= now.from)).catch((error) => fail(error.message) ?? []),
    ]);
    if (turn !== now.turn) return;
    Object.assign(now, { waves: waves.error ? null : waves, image: null, events });
    paint(waves.error?.message);
    if (now.waves) await fetchPower(turn, span);
    if (turn === now.turn) page.dataset.state = now.waves ? "ready" : "empty";
}

async function fetchPower(turn, span) {
    const { window_s, overlap, max_hz } = seeing;
    const [component] = now.waves.stations[0].components;
    const image = await fetchImage(`${api}/record-spectrogram/${query({ ...span, component, window_s, overlap, max_hz })}`).catch(() => null);
    if (turn !== now.turn) return;
    now.image = image;
    paint();
}

function fail(text) {
    part("trouble").textContent = text;
    part("trouble").hidden = false;
}

/* ---- drawing ---- */

function paint(why = null) {
    const station = now.waves?.stations[0];
    const lanes = station ? componentLanes(station, now.from, end(), seeing.gain) : [];
    if (now.image) lanes.push({ kind: "image", title: now.image.about.component, note: "power", image: now.image, range_db: seeing.range_db });
    const shades = now.events.map((event) => ({ from: Date.parse(event.starttime), to: Date.parse(event.endtime),
        colour: classes[event.label]?.colour, words: classes[event.label]?.name ?? "no label" }));
    const selection = now.marked && { from: now.marked.from ?? now.marked.to, to: now.marked.to ?? now.marked.from };
    timeline.canvas.setAttribute("aria-label", `${now.station} from ${iso(now.from)} to ${iso(end())}, ${bandWords()}, ${now.events.length} events`);
    timeline.show({ from: now.from, to: end(), lanes, shades, selection });
    part("status").textContent = why ? `${why} ${nearestWords()}` : [`${now.station}, ${bandWords()}`,
        station?.thinned > 1 ? `drawn from every sample at ${station.recorded_hz} Hz` : `${station?.recorded_hz} Hz`, ...(station?.problems ?? [])].join(" · ");
    part("events").replaceChildren(...listed());
}

/** Where the record goes on, where nothing is in view. */
function nearestWords() {
    const later = now.spans.find(([start]) => start >= end());
    const earlier = now.spans.findLast(([, last]) => last <= now.from);
    return [earlier && `It was last recorded until ${iso(earlier[1])} (Home).`, later && `It goes on at ${iso(later[0])} (End).`].filter(Boolean).join(" ");
}

function listed() {
    if (!now.events.length) return [h("li", { class: "muted" }, "None.")];
    return now.events.map((event) => h("li", {}, utc(event.starttime), " ", event.label ? chip(classes[event.label]) : "no label", " ",
        h("a", { href: `/events/${event.id}/` }, h("bdi", {}, event.event_id))));
}

function drawLooks() {
    part("looks").replaceChildren(...bandControls(presetsOf(facts)), imageControls());
}

/* ---- moving ---- */

function move(share) {
    go({ from: now.from + share * 1000 * now.length_s });
}

/** One length shorter (-1) or longer (1), about the cursor or the middle. */
function nearer(step) {
    const length = LENGTHS_S[Math.min(LENGTHS_S.length - 1, Math.max(0, LENGTHS_S.indexOf(now.length_s) + step))];
    if (length === now.length_s) return;
    const about = timeline.cursor ?? now.from + 500 * now.length_s;
    const share = (about - now.from) / (1000 * now.length_s);
    go({ from: about - share * 1000 * length, length_s: length });
}

function piece(step) {
    const found = step > 0 ? now.spans.find(([start]) => start > now.from + 1) : now.spans.findLast(([start]) => start < now.from - 1);
    if (found) go({ from: found[0] });
    else part("status").textContent = step > 0 ? "The record has no later piece." : "The record has no earlier piece.";
}

function moveCursor(step) {
    const at = timeline.cursor ?? now.from + 500 * now.length_s;
    timeline.setCursor(Math.min(end(), Math.max(now.from, at + (step * 1000 * now.length_s) / 400)));
}

/* ---- an event that was missed ---- */

const form = part("missed");

function mark(from, to) {
    if (!form) return;
    now.marked = { from, to };
    showMarked();
}

function markEnd(name) {
    if (!form || timeline.cursor === null || timeline.cursor === undefined) return fail("Put the cursor on the record first: with the mouse, or with , and .");
    now.marked = { from: null, to: null, ...now.marked, [name]: timeline.cursor };
    return showMarked();
}

function showMarked() {
    const { from = null, to = null } = now.marked ?? {};
    part("start").value = from === null ? "" : iso(from);
    part("end").value = to === null ? "" : iso(to);
    part("save").disabled = !(from !== null && to !== null && to > from);
    part("trouble").hidden = true;
    paintSelection();
}

function paintSelection() {
    if (!timeline.scene) return;
    timeline.scene.selection = now.marked && { from: now.marked.from ?? now.marked.to, to: now.marked.to ?? now.marked.from };
    timeline.paint();
}

function typed() {
    const read = (id) => (Number.isNaN(utcOf(part(id).value)) ? null : utcOf(part(id).value));
    now.marked = { from: read("start"), to: read("end") };
    part("save").disabled = !(now.marked.from !== null && now.marked.to !== null && now.marked.to > now.marked.from);
    paintSelection();
}

function clear() {
    now.marked = null;
    now.code = null;
    if (form) showMarked();
    drawClasses();
}

function choose(code) {
    now.code = now.code === code ? null : code;
    drawClasses();
}

function drawClasses() {
    part("classes")?.replaceChildren(...facts.classes.map((one) => h("button", { type: "button", "aria-pressed": String(one.code === now.code),
        onclick: () => choose(one.code) }, h("kbd", {}, one.key), chip(one))));
}

async function save() {
    if (part("save").disabled) return fail("Mark where the event starts and where it ends first.");
    part("save").disabled = true;
    try {
        const event = await post("/api/v1/events/", { site: facts.site.id, station: now.station, starttime: iso(now.marked.from),
            endtime: iso(now.marked.to), event_class: now.code, reason: part("reason").value.trim() });
        part("saved").replaceChildren("Added ", h("a", { href: `/events/${event.id}/` }, h("bdi", {}, event.event_id)),
            now.code ? ` as ${classes[now.code].name}.` : ", without a label: it waits in the queue.",
            event.run ? h("a", { href: event.run.replace("/api/v1", "") }, " A run classifies it.") : "");
        part("reason").value = "";
        clear();
        await fetchAll();
    } catch (error) {
        fail(error.message);
        part("save").disabled = false;
    }
    return undefined;
}

/* ---- keys and controls ---- */

const DOES = { earlier: () => move(-STEP), later: () => move(STEP), nearer: () => nearer(-1), farther: () => nearer(1),
    "piece-before": () => piece(-1), "piece-after": () => piece(1), clear };

function bindings() {
    const own = form ? { "[": () => markEnd("from"), "]": () => markEnd("to"), Enter: save, Escape: clear,
        ...Object.fromEntries(facts.classes.map(({ key, code }) => [key, () => choose(code)])) } : {};
    return { ArrowLeft: DOES.earlier, ArrowRight: DOES.later, ArrowUp: DOES.nearer, ArrowDown: DOES.farther, Home: DOES["piece-before"],
        End: DOES["piece-after"], ",": () => moveCursor(-1), ".": () => moveCursor(1), f: () => see({ filtered: !seeing.filtered }), "shift+f": () => nextPreset(presetsOf(facts)), v: nextImage,
        g: () => see({ gain: neighbour(GAINS, seeing.gain, 1) }), "shift+g": () => see({ gain: neighbour(GAINS, seeing.gain, -1) }), ...own };
}

for (const button of document.querySelectorAll("[data-does]")) button.addEventListener("click", DOES[button.dataset.does]);
part("where").addEventListener("submit", (event) => {
    event.preventDefault();
    const from = utcOf(part("time").value);
    if (Number.isNaN(from)) fail("This is no time. Write it as 2026-03-01T06:00:00Z (UTC).");
    else go({ station: part("station").value, from, length_s: Number(part("length").value) });
});
part("station").addEventListener("change", () => go({ station: part("station").value }));
part("length").addEventListener("change", () => go({ length_s: Number(part("length").value) }));
form?.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
});
form?.addEventListener("input", ({ target }) => ["start", "end"].includes(target.id) && typed());
document.addEventListener("seeing", ({ detail }) => {
    if (!(part("looks").contains(document.activeElement) && document.activeElement.matches("input"))) drawLooks();
    if (["filtered", "low_hz", "high_hz", "window_s", "overlap", "max_hz"].some((name) => detail.includes(name))) fetchAll();
    else paint();
});
listen(bindings);

const asked = new URLSearchParams(location.search);
drawLooks();
drawClasses();
// ?time= is where the view begins, ?at= its middle.
const length = LENGTHS_S.includes(Number(asked.get("length_s"))) ? Number(asked.get("length_s")) : 3600;
const [begin, middle] = ["time", "at"].map((name) => utcOf(asked.get(name)));
const from = Number.isNaN(begin) ? middle - 500 * length : begin;
go({ station: facts.stations.includes(asked.get("station")) ? asked.get("station") : facts.stations[0],
    from: Number.isNaN(from) ? null : from, length_s: length }).catch((error) => fail(error.message));
