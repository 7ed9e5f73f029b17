/** Where a point of the drawing lies in the event, and what is there. Pure functions: positions in px, numbers of a panel. */
import { componentRows } from "./plots.js";
import { vector } from "./panel.js";

const KINDS = ["waveform", "stft", "relevance"];
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toPrecision(3)}`;
const minus = (text) => String(text).replace("-", "−");

/** The drawing's axes in px: { time: [from, to], columns: [{ kind, left, width }], rows: [{ letter, index, top, height }], ranges }. */
export function frameOf(drawn, panel) {
    const axis = (name) => drawn[name];
    const columns = KINDS.map((kind, i) => [kind, axis(i ? `xaxis${i + 1}` : "xaxis")]).filter(([, found]) => found)
        .map(([kind, { _offset: left, _length: width }]) => ({ kind, left, width }));
    const rows = componentRows(panel).flatMap((component, row) => {
        if (!component.recorded) return [];
        const [waveform, stft] = [0, 1].map((column) => axis(row + column ? `yaxis${row * 3 + column + 1}` : "yaxis"));
        return [{ ...component, top: waveform._offset, height: waveform._length, ranges: { amplitude: waveform.range, frequency: stft.range } }];
    });
    return { time: axis("xaxis").range, columns, rows };
}

const inside = (value, start, length) => value >= start && value <= start + length;
const along = (share, [from, to]) => from + share * (to - from);

/** What lies at (x, y): { kind, letter, index, time, height } with `height` a frequency or an amplitude; null beside the panels. */
export function pointAt({ time, columns, rows }, x, y) {
    const column = columns.find(({ left, width }) => inside(x, left, width));
    const row = rows.find(({ top, height }) => inside(y, top, height));
    if (!column || !row) return null;
    const range = column.kind === "waveform" ? row.ranges.amplitude : row.ranges.frequency;
    return { kind: column.kind, letter: row.letter, index: row.index, time: along((x - column.left) / column.width, time),
        height: along(1 - (y - row.top) / row.height, range) };
}

/** Px from the left of a column at which `second` lies; null where it is out of sight. */
export function placeOf({ time: [from, to] }, { left, width }, second) {
    const share = (second - from) / (to - from);
    return share >= 0 && share <= 1 ? left + share * width : null;
}

/** Index of the number nearest to `value` in ascending `values`. */
export function nearest(values, value) {
    return values.reduce((best, each, i) => (Math.abs(each - value) < Math.abs(values[best] - value) ? i : best), 0);
}

/** A moment of the window as UTC text to the millisecond. */
export function momentOf({ about: { starttime } }, second) {
    return new Date(Date.parse(starttime) + 1000 * second).toISOString();
}

/** ISO text of a moment of the window, in microseconds, as the API wants it. */
export function exactMoment({ about: { starttime } }, second) {
    const micros = Number(starttime.match(/\.(\d{1,6})/)?.[1].padEnd(6, "0") ?? 0) + Math.round(second * 1e6);
    const whole = Date.parse(starttime.replace(/\.\d+/, "")) + 1000 * Math.floor(micros / 1e6);
    const rest = String(((micros % 1e6) + 1e6) % 1e6).padStart(6, "0");
    return new Date(whole).toISOString().replace(/\.\d+Z$/, `.${rest}Z`);
}

function amplitude({ about, tensors }, index, time) {
    const sample = Math.min(tensors.waveform.shape.at(-1) - 1, Math.max(0, Math.round(time * about.sampling_rate_hz)));
    if (!vector(tensors.mask, index)[sample]) return "not recorded";
    const value = vector(tensors.waveform, index)[sample];
    return `${minus(value.toFixed(3))} = ${minus((value * about.scale[index]).toPrecision(3))} ${about.recorded_unit}`;
}

function level({ about, tensors }, index, row, column, decibels) {
    const value = vector(tensors.stft, index, row)[column];
    if (!decibels || about.input === "log") return minus(value.toPrecision(3));
    const most = tensors.stft.values.reduce((a, b) => Math.max(a, b), 0);
    return `${minus(value.toPrecision(3))} = ${value > 0 ? minus((20 * Math.log10(value / most)).toFixed(1)) : "−∞"} dB`;
}

/** What is at a point, as [name, text] pairs, always the same names in the same order: "–" where there is no such thing. */
export function readout(panel, map, point, { decibels = false } = {}) {
    const names = ["component", "UTC", "time", "frequency", "amplitude", "STFT", "relevance"];
    if (!point) return names.map((name) => [name, "–"]);
    const { index, letter, time, kind, height } = point;
    const { frequencies_hz: frequencies, times_s: times } = panel.tensors;
    const column = nearest(times.values, time);
    const row = kind === "waveform" ? null : nearest(frequencies.values, height);
    const relevance = panel.maps[map]?.tensor;
    const here = relevance && (row === null ? sumAt(relevance, index, column) : vector(relevance, index, row)[column]);
    return [letter, momentOf(panel, time), `${minus(time.toFixed(3))} s`, row === null ? "all" : `${frequencies.values[row].toFixed(1)} Hz`,
        amplitude(panel, index, time), row === null ? "–" : level(panel, index, row, column, decibels),
        relevance ? signed(here) : "–"].map((text, i) => [names[i], text]);
}

/** Relevance of a component at one moment, over all frequencies. */
function sumAt(relevance, index, column) {
    const rows = relevance.shape.at(-2);
    return Array.from({ length: rows }, (_, row) => vector(relevance, index, row)[column]).reduce((a, b) => a + b, 0);
}
