/** The pool map: what a model sees in the site's events and unlabelled windows, looked through, and sent to the review queue. */
import { get, getBytes, post } from "./api.js";
import { h } from "./dom.js";
import { listen } from "./keys.js";
import { Card } from "./mapcard.js";
import { COLOURINGS, grouped, pointsOf } from "./mapdata.js";
import { neighbourTowards } from "./mapgrid.js";
import { choiceCounts, choiceList, legend, resultWords } from "./mapside.js";
import { MapView } from "./mapview.js";
import { nextPreset, presetsOf, see, seeing } from "./seeing.js";

const part = (id) => document.getElementById(id);
const facts = JSON.parse(part("facts").textContent);
const api = `/api/v1/maps/${facts.map.id}/`;
const page = part("map");
const MOST_SENT = 500; // in one request; more than that is no choice but a mistake of the lasso
const PAN_PX = 80, ZOOM = 1.5;
const TOWARDS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const now = { points: null, classes: { labels: {}, predictions: {} }, sorted: {}, colouring: "label", hidden: new Set(), chosen: new Set(),
    asked: new Set(), row: -1, byPoint: false };

const view = new MapView(part("map-frame"), { onPoint: look, onClick: choose, onLasso: gather });
const card = new Card(part("card"), { site: facts.site.id, map: facts.map, onChoose: choose });
const button = (colouring) => document.querySelector(`[data-colouring="${colouring}"]`);
const sorted = () => now.sorted[now.colouring];

/* ---- what is known of a point ---- */

/** { isWindow, event, start, station, groups: its label, prediction and cluster, group: the one it is coloured by, … } */
function factsOf(row) {
    const { event, start, station } = now.points;
    const isWindow = event[row] < 0;
    const group = (colouring) => now.sorted[colouring].groups[now.sorted[colouring].of[row]];
    const told = COLOURINGS.filter(([colouring]) => !button(colouring).disabled);
    const groups = told.map(([colouring, what]) => inWords(what, group(colouring))).filter((one) => !one.isWindows);
    return { isWindow, event: event[row], start: start[row], station: facts.map.stations[station[row]] ?? null, groups, group: group(now.colouring),
        isChosen: now.chosen.has(row), isAsked: now.asked.has(row) };
}

const inWords = (what, group) => (group.single ? { ...group, what: "", name: group.single } : { ...group, what });

const timeWords = (start) => new Date(start).toISOString().replace("T", " ").slice(0, 19);

/** Looks at a point: a ring and a few words at once, its waveform when the pointer rests. */
function look(row) {
    if (row === now.row && row === view.ring) return;
    view.point(row);
    if (row < 0) return view.say(null);
    now.row = row;
    const found = factsOf(row);
    const kind = found.isWindow ? "unlabelled window" : "event";
    view.say([...(found.group.isWindows ? [] : [h("strong", {}, found.group.single ?? found.group.name), ", "]), `${kind} ${timeWords(found.start)}`]);
    card.show(row, found);
    return undefined;
}

function sayPoint() {
    const { isWindow, groups, start, station, isChosen } = factsOf(now.row);
    say(`${isWindow ? "Window" : "Event"}: ${groups.map(({ what, name }) => [what, name].filter(Boolean).join(" ")).join(", ")}; ${station ?? "no station"}, ${timeWords(start)} UTC${isChosen ? ", chosen" : ""}.`);
}

/* ---- drawing ---- */

function sortAgain() {
    for (const [colouring] of COLOURINGS) now.sorted[colouring] = grouped(now.points, colouring, facts.classes, now.classes);
    draw();
}

function draw() {
    Object.assign(view, { chosen: now.chosen, asked: now.asked });
    view.show(now.points, sorted(), now.hidden);
    part("legend").replaceChildren(...legend(sorted(), now.hidden, hide));
    for (const [colouring] of COLOURINGS) button(colouring).setAttribute("aria-pressed", String(colouring === now.colouring));
    drawChoice();
}

function hide(hidden) {
    const focused = document.activeElement?.dataset.group;
    now.hidden = hidden;
    look(-1);
    draw();
    if (focused) part("legend").querySelector(`[data-group="${focused}"]`)?.focus();
}

function colour(colouring) {
    Object.assign(now, { colouring, hidden: new Set() });
    const address = new URL(location.href);
    address.searchParams.set("colour", colouring);
    history.replaceState(null, "", address);
    draw();
    if (now.row >= 0) card.renew(factsOf(now.row));
    say(`Coloured by ${colouring}: ${sorted().groups.map(({ name, count }) => `${name} ${count}`).join(", ")}.`);
}

function say(text) {
    part("said").textContent = text;
}

/* ---- choosing ---- */

function choose(row) {
    if (row < 0) return;
    if (!now.chosen.delete(row)) now.chosen.add(row);
    choiceChanged();
}

/** A lasso adds what it encloses, and lets go of it with Alt. */
function gather(rows, takesAway = false) {
    for (const row of rows) if (takesAway) now.chosen.delete(row); else now.chosen.add(row);
    choiceChanged();
    say(`${rows.length} points ${takesAway ? "let go" : "gathered"}, ${now.chosen.size} chosen.`);
}

function clear() {
    now.chosen.clear();
    choiceChanged();
}

function choiceChanged() {
    view.paint();
    drawChoice();
    if (now.row >= 0) card.renew(factsOf(now.row));
}

/** A choice outlasts a look at an event or at a run, for as long as its tab is open. */
const CHOICE = `chosen on map ${facts.map.id}`;
const keptChoice = () => JSON.parse(sessionStorage.getItem(CHOICE) ?? "[]").filter((row) => row < facts.map.points);

function drawChoice() {
    const { chosen } = now;
    sessionStorage.setItem(CHOICE, JSON.stringify([...chosen]));
    part("chosen-count").textContent = chosen.size ? String(chosen.size) : "none";
    part("choice-counts").replaceChildren(...choiceCounts(chosen, sorted()));
    part("choice-list").replaceChildren(...choiceList(chosen, { site: facts.site.id, facts: factsOf, onLook: look, onDrop: choose }));
    part("choice-hint").hidden = chosen.size > 0;
    part("too-many").hidden = chosen.size <= MOST_SENT;
    part("clear").disabled = !chosen.size;
    if (part("send")) part("send").disabled = !waiting().length || chosen.size > MOST_SENT || page.dataset.state === "sending";
}

/** Chosen points that were not sent in this sitting. */
const waiting = () => [...now.chosen].filter((row) => !now.asked.has(row));

async function send() {
    const rows = waiting();
    if (!part("send") || part("send").disabled) return;
    page.dataset.state = "sending";
    drawChoice();
    part("result").replaceChildren("Sending …");
    try {
        const answer = await post(`${api}review/`, { points: rows });
        const failed = new Set(answer.refused.map(({ row }) => row));
        for (const row of rows.filter((each) => !failed.has(each))) {
            now.asked.add(row);
            now.chosen.delete(row);
        }
        part("result").replaceChildren(...sentWords(answer));
        await refresh().catch(() => {});  // the colours wait for the next visit; what was sent is sent
    } catch (error) {
        part("result").replaceChildren(h("span", { class: "bad" }, error.message));
    }
    page.dataset.state = "ready";
    draw();
}

function sentWords(answer) {
    const { words, refused } = resultWords([answer]);
    return [h("p", {}, words, " × marks them on the map. ", h("a", { href: `/sites/${facts.site.id}/queue/?reason=request` }, "See them in the queue"),
        answer.run ? [" · ", h("a", { href: answer.run.replace("/api/v1", "") }, "a run prepares what has no relevance map yet")] : null),
    refused.length ? h("ul", {}, refused.map(({ row, why }) => h("li", { class: "bad" }, `${timeWords(factsOf(row).start)}: ${why}`))) : ""];
}

/** Labels and predictions as the catalogue has them now. */
async function refresh() {
    now.classes = await get(`${api}classes/`);
    sortAgain();
}

/* ---- moving, by buttons and keys ---- */

function setLasso(isLasso) {
    view.isLasso = isLasso;
    part("map-frame").classList.toggle("lasso", isLasso);
    part("lasso").setAttribute("aria-pressed", String(isLasso));
}

function setByPoint(byPoint) {
    now.byPoint = byPoint;
    part("by-point").setAttribute("aria-pressed", String(byPoint));
    if (byPoint && now.row < 0) look(view.order.findLast((row) => view.isShown(row)) ?? -1);
    if (byPoint && now.row >= 0) sayPoint();
    if (byPoint) view.canvas.focus();
}

function arrow(key) {
    if (!now.byPoint || now.row < 0) return view.pan(-PAN_PX * TOWARDS[key][0], PAN_PX * TOWARDS[key][1]);
    const next = neighbourTowards(now.points, now.row, TOWARDS[key], view.isShown);
    if (next < 0) return say("No point lies further that way.");
    look(next);
    return sayPoint();
}

function chooseByKey() {
    if (now.row < 0) return say("Look at a point first: with the mouse, or with P and the arrow keys.");
    choose(now.row);
    return sayPoint();
}

function leave() {
    view.letGo();
    look(-1);
    setLasso(false);
    setByPoint(false);
}

const turnLasso = () => setLasso(!view.isLasso);
const turnByPoint = () => setByPoint(!now.byPoint);
const nextColouring = () => {
    const names = COLOURINGS.map(([name]) => name).filter((name) => !button(name).disabled);
    colour(names[(names.indexOf(now.colouring) + 1) % names.length]);
};
const nearer = () => view.zoomAbout(ZOOM), farther = () => view.zoomAbout(1 / ZOOM), whole = () => view.whole();
const gatherView = () => gather(view.inView());

function bindings() {
    if (!now.points) return {};
    const onMap = document.activeElement === view.canvas;
    const own = onMap ? Object.fromEntries([...Object.keys(TOWARDS).map((key) => [key, () => arrow(key)]), ["Enter", chooseByKey], ["Space", chooseByKey]]) : {};
    return { ...own, "+": nearer, "=": nearer, "-": farther, 0: whole, l: turnLasso, p: turnByPoint, c: nextColouring, a: gatherView, q: send, Escape: leave,
        Delete: clear, f: () => see({ filtered: !seeing.filtered }), "shift+f": () => nextPreset(presetsOf(facts)) };
}

/* ---- beginning ---- */

async function begin() {
    try {
        const [bytes, classes] = await Promise.all([getBytes(`${api}points/`), get(`${api}classes/`)]);
        Object.assign(now, { points: pointsOf(bytes), classes, chosen: new Set(keptChoice()) });
        performance.mark("map read");
        // The map's own address, which stays this map when a newer one is there.
        history.replaceState(null, "", `/maps/${facts.map.id}/${location.search}`);
        const wanted = new URLSearchParams(location.search).get("colour");
        if (COLOURINGS.some(([name]) => name === wanted) && !button(wanted).disabled) now.colouring = wanted;
        const { points: count, events } = facts.map;
        view.canvas.setAttribute("aria-label", `Map of ${count} points: ${events} events and ${count - events} windows. P moves from point to point with the arrow keys.`);
        sortAgain();
        page.dataset.state = "ready";
    } catch (error) {
        page.dataset.state = "failed";
        part("trouble").textContent = error.message;
        part("trouble").hidden = false;
    }
}

/** The form for a new map lies over this one: a click beside it or Escape puts it away. */
function putAway({ type, key, target }) {
    const form = part("new-map");
    const isDone = type === "click" ? !form?.contains(target) : key === "Escape" && form?.contains(target);
    if (!form?.open || !isDone) return;
    form.open = false;
    if (key) form.querySelector("summary").focus();
}

const does = { lasso: turnLasso, "by-point": turnByPoint, nearer, farther, whole, clear, send, "in-view": gatherView };
for (const [id, action] of Object.entries(does)) part(id)?.addEventListener("click", action);
for (const [colouring] of COLOURINGS) button(colouring).addEventListener("click", () => colour(colouring));
for (const type of ["click", "keydown"]) document.addEventListener(type, putAway);
part("which")?.addEventListener("change", ({ target }) => location.assign(target.value));
document.addEventListener("visibilitychange", () => { if (!document.hidden && now.points) refresh().catch(() => {}); });
addEventListener("themechange", () => now.points && part("legend").replaceChildren(...legend(sorted(), now.hidden, hide)));
listen(bindings);
begin();
