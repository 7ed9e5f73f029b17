/** Waveforms and spectrograms of any time, asked of the API once and kept for a while. Times are ms since 1970, UTC. */
import { getBytes } from "./api.js";
import { decodeTensors } from "./tensors.js";

const MOST_KEPT = 16;
const kept = new Map();

/** "?a=1&b=2" of what is neither null nor "". */
export function query(parameters) {
    const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
    return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

function once(url, decode, options) {
    const known = kept.get(url);
    if (known) return known;
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
    const answer = getBytes(url, options).then(decode);
    // A question taken back is forgotten at once: who asks again in the same moment must not wait for it.
    const forget = () => { if (kept.get(url) === answer) kept.delete(url); };
    options?.signal?.addEventListener("abort", forget);
    answer.then(() => options?.signal?.removeEventListener("abort", forget), forget);
    kept.set(url, answer);
    return answer;
}

/**
 * events/{id}/context/ or sites/{id}/record/ → { about, stations }. A station has the API's facts, `start` and `end`, and
 * `rows`: { letter, values, mask, scale, outline: { values, bins, step_s } | null }; none where it did not record.
 * Who gives a `signal` may take the question back.
 */
export function fetchWaves(url, options) {
    return once(url, (buffer) => wavesOf(decodeTensors(buffer, "context")), options);
}

export function wavesOf({ about, tensors }) {
    return { about, stations: about.stations.map((station, number) => stationOf(station, number, tensors)) };
}

function stationOf(station, number, tensors) {
    if (!station.components.length) return { ...station, rows: [], start: 0, end: 0 };
    const { shape: [, samples], values } = tensors[`${number}.waveform`];
    const mask = tensors[`${number}.mask`].values;
    const outline = tensors[`${number}.outline`];
    const start = Date.parse(station.starttime);
    const rows = station.components.map((letter, row) => ({
        letter, scale: station.scale[row],
        values: values.subarray(row * samples, (row + 1) * samples),
        mask: mask.subarray(row * samples, (row + 1) * samples),
        outline: outline ? { values: outline.values.subarray(2 * row * outline.shape[2], 2 * (row + 1) * outline.shape[2]),
            bins: outline.shape[2], step_s: station.outline.step_s } : null,
    }));
    return { ...station, rows, start, end: start + (1000 * samples) / station.sampling_rate_hz };
}

/** Largest |value| of a row in its unit between two times; 0 where nothing was recorded. */
export function peakOf(station, row, from, to) {
    const { outline } = row;
    let largest = 0;
    const grow = (value) => { if (value > largest) largest = value; };
    if (outline) {
        const [first, last] = indices(station.start, outline.step_s, outline.bins, from, to);
        for (let i = first; i < last; i++) {
            if (outline.values[i] !== NOT_RECORDED) grow(Math.max(-outline.values[i], outline.values[outline.bins + i]));
        }
    } else {
        const [first, last] = indices(station.start, 1 / station.sampling_rate_hz, row.values.length, from, to);
        for (let i = first; i < last; i++) grow(Math.abs(row.values[i]));
    }
    return largest * row.scale;
}

/** What an outline holds where nothing was recorded. */
export const NOT_RECORDED = -32768;

/** [first, last) of the steps of `step_s` from `start` that lie between two times. */
export function indices(start, step_s, count, from, to) {
    const at = (time) => (time - start) / 1000 / step_s;
    return [Math.max(0, Math.floor(at(from))), Math.min(count, Math.ceil(at(to)) + 1)];
}

/** A row's value at a time, in its unit; null where it was not recorded. */
export function valueAt(station, row, time) {
    const i = Math.round(((time - station.start) / 1000) * station.sampling_rate_hz);
    return i >= 0 && i < row.values.length && row.mask[i] ? row.values[i] * row.scale : null;
}

/** An image of power: { about, start, width, height, values, low_hz, high_hz, first, last } with times in ms. */
export function fetchImage(url, options) {
    return once(url, (buffer) => imageOf(decodeTensors(buffer, "spectrogram")), options);
}

export function imageOf({ about, tensors }) {
    const { shape: [height, width], values } = tensors.image;
    const times = tensors.times_s.values;
    const frequencies = tensors.frequencies_hz.values;
    const start = Date.parse(about.starttime);
    const half = width > 1 ? (times[1] - times[0]) / 2 : about.window_s / 2;
    const step = height > 1 ? frequencies[1] - frequencies[0] : 1;
    return { about, values, width, height, first: start + 1000 * (times[0] - half), last: start + 1000 * (times[width - 1] + half),
        low_hz: Math.max(0, frequencies[0] - step / 2), high_hz: frequencies[height - 1] + step / 2 };
}
