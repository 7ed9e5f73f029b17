/** Moving about in an event: zoom, pan, cursor, which map, which colours. Each returns words of trouble, or nothing. */
import { exactMoment, nearest } from "./cursor.js";
import { frame, refresh } from "./over.js";
import { wholeWindow } from "./screen.js";
import { now, part } from "./state.js";
import { mapId, mapName } from "./words.js";

const ZOOM = 1.6;
const PAN = 0.25;

/** [from, to] about `middle` by `factor`, kept within [0, duration]; `shift` moves it by that share of its length. */
export function moved([from, to], { factor = 1, middle = (from + to) / 2, shift = 0, duration }) {
    const length = Math.min(duration, (to - from) * factor);
    const share = (middle - from) / (to - from);
    const start = middle - share * length + shift * length;
    const kept = Math.min(Math.max(0, start), duration - length);
    return [kept, kept + length];
}

export const durationOf = ({ about, tensors }) => tensors.waveform.shape.at(-1) / about.sampling_rate_hz;

function turnTime(change) {
    const here = frame();
    if (!here) return;
    const range = moved(here.time, { ...change, duration: durationOf(now.panel) });
    window.Plotly.relayout(part("plot"), { "xaxis.range": range });
    refresh();
}

function zoom(factor) {
    const here = frame();
    const at = now.cursor?.time;
    const isSeen = here && at !== undefined && at >= here.time[0] && at <= here.time[1];
    turnTime({ factor, ...(isSeen ? { middle: at } : {}) });
}

/** The cursor one frame of the STFT earlier or later; it begins in the middle of what is seen. */
function step(by) {
    const here = frame();
    if (!here) return;
    const times = now.panel.tensors.times_s.values;
    const start = { kind: "stft", letter: here.rows[0]?.letter, index: here.rows[0]?.index, time: (here.time[0] + here.time[1]) / 2,
        height: here.rows[0] ? (here.rows[0].ranges.frequency[0] + here.rows[0].ranges.frequency[1]) / 2 : 0 };
    const from = now.cursor ?? start;
    const place = Math.min(times.length - 1, Math.max(0, nearest(times, from.time) + by));
    now.cursor = { ...from, time: times[place] };
    refresh();
}

function turn(name, key, words) {
    now[name] = !now[name];
    localStorage.setItem(key, now[name] ? words[0] : words[1]);
}

/** { action: what it does }. `show(map)` draws another map, `redraw()` the same one, `onStation(index)`, `onBox()`. */
export function lookingActions({ show, redraw, onStation, trouble }) {
    const map = (index) => {
        const { maps = [] } = now.panel ?? {};
        if (!maps.length) return trouble(now.item.blind ? "Maps are shown when you have decided." : "No map is stored for this event.");
        if (maps.length === 1) return trouble(`Only ${mapName(maps[0], nameIn(now.item))} is explained: prediction and label are the same.`);
        if (index >= maps.length) return trouble("The difference of both maps is not stored with this panel.");
        return show(index);
    };
    return {
        "map-next": () => map((now.map + 1) % Math.max(1, now.panel?.maps.length ?? 1)),
        "map-predicted": () => (now.panel?.maps.length === 1 ? show(0) : map(0)), "map-label": () => map(1), "map-difference": () => map(2),
        overlay: () => { turn("overlay", "overlay", ["on", "off"]); redraw(); },
        "same-scale": () => { turn("sameScale", "scale", ["same", "own"]); redraw(); },
        decibels: () => { turn("decibels", "stft", ["decibels", "linear"]); redraw(); },
        "zoom-in": () => zoom(1 / ZOOM), "zoom-out": () => zoom(ZOOM),
        "pan-left": () => turnTime({ shift: -PAN }), "pan-right": () => turnTime({ shift: PAN }),
        "cursor-left": () => step(-1), "cursor-right": () => step(1),
        whole: () => { if (now.panel) wholeWindow(part("plot"), now.panel); },
        station: () => { if (now.panels.length > 1) onStation((now.station + 1) % now.panels.length); },
    };
}

/** What of the record a panel shows, { from, to } in ms; null without one. */
export function spanOf(panel) {
    if (!panel) return null;
    const from = Date.parse(panel.about.starttime);
    return { from, to: from + 1000 * durationOf(panel) };
}

const nameIn = (item) => (code) => item.classes.find((one) => one.code === code)?.name ?? code;

/** The box that the zoom of the moment makes: what is seen of the first component's maps. */
export function boxOfZoom() {
    const here = frame();
    const row = here?.rows.find(({ index }) => index === now.cursor?.index) ?? here?.rows[0];
    if (!row) return null;
    const [low, high] = row.ranges.frequency;
    const exact = (value) => Number(value.toFixed(3));
    return { station: now.panels[now.station].station, component: row.letter, map: mapId(now.panel.maps[now.map]),
        from_s: exact(here.time[0]), to_s: exact(here.time[1]), low_hz: exact(Math.max(0, low)), high_hz: exact(high) };
}

/** Boundaries with one end moved to the cursor, from those that were being moved or those of the event; or words of trouble. */
export function spanWith(end, { panel, cursor, span, event }) {
    if (!panel) return { trouble: "Without a panel there is no cursor. Open the surroundings, or use the event’s page." };
    if (!cursor) return { trouble: "Point at a moment first: with the pointer, or with the keys that move the cursor." };
    const second = (time) => (Date.parse(time) - Date.parse(panel.about.starttime)) / 1000;
    const from = span ?? { start: second(event.starttime), end: second(event.endtime) };
    const next = { ...from, [end]: Number(cursor.time.toFixed(3)), moved: { ...span?.moved, [end]: true } };
    return next.start < next.end ? { span: next } : { trouble: "The event would end before it begins. Move the other end first." };
}

/** The boundaries as the API wants them: an end that was not moved stays as it is stored. */
export function spanBody({ start, end, moved: ends }, panel, event) {
    return { starttime: ends.start ? exactMoment(panel, start) : event.starttime, endtime: ends.end ? exactMoment(panel, end) : event.endtime };
}

