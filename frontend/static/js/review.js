/** The review page: wires its parts together, and says what each key does at each moment. */
import { Around } from "./around.js";
import { ACTIONS, AROUND } from "./actions.js";
import { choices, choose, closeBox, confirm, openPostpone, pickReason, postpone, reasons, submitChange, takeNext, unsure } from "./deciding.js";
import { h } from "./dom.js";
import { filterChips } from "./filter.js";
import { connect, filter, next, redraw, showMap, showStation, withoutDeciding } from "./flow.js";
import { className } from "./header.js";
import { KeyList, Keymap } from "./keylist.js";
import { listen } from "./keys.js";
import { lookingActions, spanOf } from "./looking.js";
import { afterBlind, historyList, toAdjudicate } from "./opinions.js";
import { followPointer, refresh } from "./over.js";
import { cancelSpan, closeMore, drawBoxOn, leaveBox, openComment, saveSpan, setSpan, submitComment, turnConfidence, turnVerdict } from "./saying.js";
import { ink, keepSize } from "./screen.js";
import { forward, present, previous, undo } from "./sitting.js";
import { calm, now, page, part, say, state, trouble } from "./state.js";

const ROOMY_PX = 2200;
const keymap = new Keymap();
const keyList = new KeyList(part("keys"), keymap, { classes: () => now.item?.classes ?? [], onChange: () => now.item && redraw() });
const around = new Around(part("around"), { say, trouble, ink, policy: () => now.item?.policy ?? {}, className: (code) => className(now.item, code),
    seen: () => spanOf(now.panel) },
    (isOpen) => part("bench").classList.toggle("with-around", isOpen));

/* ---- what each action does ---- */

const looking = lookingActions({ show: showMap, redraw, onStation: showStation, trouble });
const outside = Object.fromEntries(Object.values(AROUND).flat().map((id) => [id, () => around.run(id)]));
const always = { ...looking, ...outside, history: showHistory, keys: () => keyList.show() };
const deciding = { confirm: () => (now.span ? saveSpan() : confirm()), unsure, postpone: openPostpone, undo, next: withoutDeciding, previous,
    confidence: turnConfidence, verdict: turnVerdict, comment: openComment, box: drawBoxOn,
    "span-start": () => setSpan("start"), "span-end": () => setSpan("end"), close: () => now.span && cancelSpan() };

/** What can be done in each state of the page; class keys are added where a class may be chosen. */
const STATES = {
    ready: { ...always, ...deciding },
    box: { ...looking, box: drawBoxOn, close: leaveBox, keys: always.keys },
    reason: { confirm: submitChange, close: closeBox, keys: always.keys },
    comment: { confirm: submitComment, close: closeMore },
    postpone: { confirm: () => postpone(choices()[0]), postpone: () => postpone(choices()[0]), close: closeBox },
    back: { ...always, previous, next: forward, close: present, undo },
    conflict: { ...looking, confirm: takeNext, next: takeNext, keys: always.keys },
    empty: { undo, keys: always.keys },
    failed: { keys: always.keys },
};

/** Own keys of a state, beside those of its actions. */
const OWN_KEYS = {
    ready: classKeys,
    reason: () => ({ ...classKeys(), Tab: () => part("reason").focus(), ...Object.fromEntries(reasons().map(({ key, text }) => [key, () => pickReason(text)])) }),
    postpone: () => Object.fromEntries(choices().slice(1).map((choice) => [choice.key, () => postpone(choice)])),
};

function classKeys() {
    return Object.fromEntries(now.item.classes.map(({ key, code }) => [key, () => choose(code)]));
}

/** {key: what it does} at this moment. */
function bindings() {
    if (part("keys").open || part("popup").open) return {};
    const able = STATES[state()] ?? {};
    const own = OWN_KEYS[state()]?.() ?? {};
    const byKey = ACTIONS.filter(({ id }) => id in able).map(({ id }) => [keymap.keys[id], able[id]]);
    const all = [...byKey, ...Object.entries(own)];
    return Object.fromEntries(all.map(([key, does]) => [key, () => { calm(); does(); }]));
}

function run(action) {
    const does = STATES[state()]?.[action];
    return does ? does() : undefined;
}

function showHistory() {
    part("popup").replaceChildren(h("h2", { id: "popup-title" }, "Decisions on ", h("bdi", {}, now.item.event.event_id)),
        ...historyList(now.item), h("form", { method: "dialog", class: "row" }, h("button", { class: "primary" }, "Close"),
            h("a", { class: "button", href: `/events/${now.item.event.id}/#history` }, "Event page")));
    part("popup").showModal();
}

/** What an item of a special kind shows above the bar. */
function showOpinions() {
    const { item } = now;
    const nodes = item.opinions?.length ? toAdjudicate(item) : item.mine && !item.blind ? afterBlind(item) : [];
    if (state() === "conflict") return;
    part("opinions").hidden = nodes.length === 0;
    part("opinions").replaceChildren(...nodes);
}

/* ---- listening ---- */

part("reason-box").addEventListener("submit", (event) => {
    event.preventDefault();
    run("confirm");
});
part("reason-box").addEventListener("input", (event) => {
    if (event.target.id === "reason") now.typed = event.target.value;
});
part("reason-box").addEventListener("keydown", (event) => {
    if (event.key === "Escape") run("close");
});
// A button that was pressed by the pointer must not take the next Enter for itself.
page.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button") && !event.target.closest("dialog, form")) part("event-name")?.focus({ preventScroll: true });
});
addEventListener("themechange", () => now.item && redraw());
addEventListener("resize", refresh);
// Back from the browser's memory, the event may be somebody else's by now.
addEventListener("pageshow", (event) => event.persisted && location.reload());

connect({ keymap, around, after: showOpinions, does: { run, onClass: (code) => state() === "ready" && choose(code), onStation: showStation, onMap: showMap } });
keepSize(part("plot"));
keepSize(part("plot-ahead"));
followPointer(part("plot").parentElement);
listen(bindings);
part("filter-bar").replaceChildren(...filterChips(filter));
part("filter-bar").hidden = Object.keys(filter).length === 0;
keymap.load().then(() => now.item && redraw()).catch(() => trouble("Your own keys could not be loaded: keys are as they came."));
next(page.dataset.item || null).then(() => {
    // Where there is room beside the panels, it shows what surrounds the event.
    if (innerWidth >= ROOMY_PX && now.item) around.run("wider");
});
