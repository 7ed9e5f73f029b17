/** A pool map's points as its file has them, and the groups that a way of colouring sorts them into. Pure functions. */
import { decodeTensors } from "./tensors.js";

/** Ways of colouring: as the address names them, and what the page says before a point's group. */
export const COLOURINGS = [["label", "labelled"], ["prediction", "predicted"], ["cluster", ""]];
// Okabe and Ito's palette but for its grey and black, which stand for what has no group.
const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"];
const SHAPES = ["circle", "square", "triangle", "diamond", "plus", "down", "cross", "bar", "star"];
const UNKNOWN_COLOUR = "#777777"; // of a code that is no class of the site (any more)
/** A group without a colour of its own: drawn in the page's grey. */
export const GREY = "grey";

/** ArrayBuffer → { count, x, y, cluster, event, station, start }: columns; `event` is −1 for a window, `start` in ms UTC. */
export function pointsOf(buffer) {
    const { tensors } = decodeTensors(buffer);
    const count = tensors.places.shape[0];
    const { places: { values: places }, cluster, event, station, starttime } = tensors;
    return {
        count,
        x: filled(new Float32Array(count), (i) => places[2 * i]),
        y: filled(new Float32Array(count), (i) => places[2 * i + 1]),
        cluster: cluster.values,
        event: filled(new Float64Array(count), (i) => Number(event.values[i])),
        station: station.values,
        start: filled(new Float64Array(count), (i) => Number(starttime.values[i]) / 1000),
    };
}

/** An array with what `value(i)` gives: several times as fast as `from`. */
function filled(array, value) {
    for (let i = 0; i < array.length; i++) array[i] = value(i);
    return array;
}

/**
 * Sorts points into groups: { groups: [{ key, name, single, colour, shape, count, isWindows }], of: Uint8Array }. `of` is each point's
 * group, `single` what one point of it is called; groups without points are left out. `now` is { labels, predictions }: { code: rows } as the catalogue has them.
 */
export function grouped(points, colouring, classes, now) {
    const all = colouring === "cluster" ? byCluster(points) : byClass(points, colouring, classes, now);
    const counts = new Uint32Array(all.groups.length);
    for (const group of all.of) counts[group] += 1;
    const kept = all.groups.map((_, i) => i).filter((i) => counts[i]);
    const renamed = new Uint8Array(all.groups.length);
    kept.forEach((old, i) => { renamed[old] = i; });
    return { groups: kept.map((i) => ({ ...all.groups[i], count: counts[i] })), of: all.of.map((group) => renamed[group]) };
}

function byClass({ count, event }, colouring, classes, { labels, predictions }) {
    const rows = Object.entries(colouring === "label" ? labels : predictions);
    const codes = [...new Set([...classes.map(({ code }) => code), ...rows.map(([code]) => code)])];
    const known = new Map(classes.map((one) => [one.code, one]));
    const groups = codes.map((code, i) => ({ key: `=${code}`, name: known.get(code)?.name ?? code, colour: known.get(code)?.colour ?? UNKNOWN_COLOUR, shape: SHAPES[i % SHAPES.length] }));
    groups.push(colouring === "label" ? { key: "none", name: "Events without a label", single: "no label", colour: GREY, shape: "ring" }
        : { key: "none", name: "Events without a prediction", single: "no prediction", colour: GREY, shape: "ring" },
    { key: "windows", name: "Unlabelled windows", single: "unlabelled window", colour: GREY, shape: "dot", isWindows: true });
    const of = filled(new Uint8Array(count), (i) => (event[i] < 0 ? codes.length + 1 : codes.length));
    const number = new Map(codes.map((code, i) => [code, i]));
    for (const [code, members] of rows) for (const row of members) if (row < count) of[row] = number.get(code);
    return { groups, of };
}

function byCluster({ count, cluster }) {
    const clusters = [...new Set(cluster)].sort((a, b) => a - b);
    const number = new Map(clusters.map((one, i) => [one, i]));
    const groups = clusters.map((one, i) => (one < 0 ? { key: "none", name: "No cluster", colour: GREY, shape: "dot" }
        : { key: `#${one}`, name: `Cluster ${one}`, mark: String(one), colour: PALETTE[i % PALETTE.length], shape: SHAPES[i % SHAPES.length] }));
    return { groups, of: filled(new Uint8Array(count), (i) => number.get(cluster[i])) };
}

/**
 * Rows in the order of drawing: windows below events, large groups below small ones, so that the rare lie on top. Within
 * a group they come as in `rows`, neighbours together: a canvas's memory is quick where it was just written.
 */
export function drawingOrder({ count, event }, { groups, of }, rows) {
    const ranked = groups.map((_, i) => i).sort((a, b) => groups[b].count - groups[a].count);
    const layer = new Uint16Array(groups.length);
    ranked.forEach((group, rank) => { layer[group] = rank; });
    const layerOf = (i) => layer[of[i]] + (event[i] < 0 ? 0 : groups.length);
    const starts = new Uint32Array(2 * groups.length + 1);
    for (let i = 0; i < count; i++) starts[layerOf(i) + 1] += 1;
    for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
    const order = new Uint32Array(count);
    for (const row of rows) order[starts[layerOf(row)]++] = row;
    return order;
}

/** The middle of each group that has a number, by medians: where that is written. [x, y] each, null without one */
export function middles({ x, y }, { groups, of }) {
    const rows = groups.map(() => []);
    if (groups.some(({ mark }) => mark)) of.forEach((group, row) => rows[group].push(row));
    const median = (members, values) => Float32Array.from(members, (row) => values[row]).sort()[members.length >> 1];
    return groups.map(({ mark }, group) => (mark ? [median(rows[group], x), median(rows[group], y)] : null));
}
