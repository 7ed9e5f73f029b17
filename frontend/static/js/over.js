/** What moves over the drawing without drawing it anew: the cursor, boundaries being moved, a box. */
import { frameOf, placeOf, pointAt, readout } from "./cursor.js";
import { h } from "./dom.js";
import { now, part } from "./state.js";
import { mapId } from "./words.js";

const LEAST_PX = 4;
let asked = 0;

/** The drawing's frame, or null where nothing is drawn. */
export function frame() {
    const drawn = part("plot")._fullLayout;
    return now.panel && drawn?.xaxis?._length ? frameOf(drawn, now.panel) : null;
}

function line(x, kind) {
    return h("span", { class: `over-line ${kind}`, style: { left: `${x.toFixed(1)}px` } });
}

function lines(here, second, kind) {
    if (second === null || second === undefined) return [];
    return here.columns.map((column) => placeOf(here, column, second)).filter((x) => x !== null).map((x) => line(x, kind));
}

function rectangle(here, { component, from_s: from, to_s: to, low_hz: low, high_hz: high }) {
    const row = here.rows.find(({ letter }) => letter === component);
    if (!row) return [];
    const [bottom, top] = row.ranges.frequency;
    const clip = (share) => Math.min(1, Math.max(0, share));
    const y = (hz) => row.top + row.height * (1 - clip((hz - bottom) / (top - bottom)));
    const share = (second) => clip((second - here.time[0]) / (here.time[1] - here.time[0]));
    return here.columns.filter(({ kind }) => kind !== "waveform").map(({ left, width }) => h("span", { class: "over-box", style: {
        left: `${left + share(from) * width}px`, width: `${(share(to) - share(from)) * width}px`, top: `${y(high)}px`, height: `${y(low) - y(high)}px`,
    } }));
}

function redraw() {
    asked = 0;
    const here = frame();
    const over = part("over");
    if (!here) {
        over.replaceChildren();
        part("readout").replaceChildren();
        return;
    }
    over.replaceChildren(...lines(here, now.cursor?.time, "is-cursor"), ...lines(here, now.span?.start, "is-start"),
        ...lines(here, now.span?.end, "is-end"), ...(now.more.box && isHere(now.more.box) ? rectangle(here, now.more.box) : []));
    part("readout").replaceChildren(...readout(now.panel, now.map, now.cursor, now).flatMap(([name, text]) =>
        [h("span", { class: "name" }, name), h("span", { class: `value of-${name.toLowerCase()}` }, text)]));
}

const isHere = ({ station }) => station === now.panels[now.station]?.station;

/** Draws the cursor and the rest anew, once before the next picture. */
export function refresh() {
    asked ||= requestAnimationFrame(redraw);
}

/** Draws at once, for whoever is about to say that the event is drawn. */
export function refreshNow() {
    cancelAnimationFrame(asked);
    redraw();
}

function pointOf(event) {
    const here = frame();
    if (!here) return null;
    const box = part("plot").getBoundingClientRect();
    return pointAt(here, event.clientX - box.left, event.clientY - box.top);
}

/** The cursor follows the pointer; it stays where it was when the pointer leaves. */
export function followPointer(figure) {
    figure.addEventListener("pointermove", (event) => {
        const point = pointOf(event);
        if (!point) return;
        now.cursor = point;
        refresh();
    });
}

/** A zoom or a pan moves what lies over the drawing; `element` is one that Plotly draws into. */
export function followZoom(element) {
    element.on?.("plotly_relayout", refresh);
    element.on?.("plotly_relayouting", refresh);
}

/** Lets the pointer draw one box over a map; `onDrawn({ component, from_s, to_s, low_hz, high_hz })`. Returns how to stop. */
export function drawBox(onDrawn) {
    const over = part("over");
    let start = null;
    const box = (from, to) => ({ station: now.panels[now.station].station, component: from.letter, map: mapId(now.panel.maps[now.map]),
        from_s: Math.min(from.time, to.time), to_s: Math.max(from.time, to.time),
        low_hz: Math.max(0, Math.min(from.height, to.height)), high_hz: Math.max(from.height, to.height) });
    const down = (event) => {
        const point = pointOf(event);
        if (!point || point.kind === "waveform") return;
        start = { point, x: event.clientX, y: event.clientY };
        over.setPointerCapture(event.pointerId);
    };
    const move = (event) => {
        const point = start && pointOf(event);
        if (!point || point.kind !== start.point.kind || point.index !== start.point.index) return;
        now.more.box = box(start.point, point);
        refresh();
    };
    const up = (event) => {
        if (!start) return;
        const isBox = Math.abs(event.clientX - start.x) > LEAST_PX && Math.abs(event.clientY - start.y) > LEAST_PX;
        start = null;
        if (isBox && now.more.box) onDrawn(now.more.box);
    };
    const handlers = { pointerdown: down, pointermove: move, pointerup: up };
    for (const [name, handler] of Object.entries(handlers)) over.addEventListener(name, handler);
    over.classList.add("drawing");
    return () => {
        over.classList.remove("drawing");
        for (const [name, handler] of Object.entries(handlers)) over.removeEventListener(name, handler);
    };
}
