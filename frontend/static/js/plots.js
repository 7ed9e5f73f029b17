/** What Plotly draws of a panel: rows are components, columns waveform, STFT and relevance, one time axis. */
import { headings, plain, saturatedTicks, TICK_PX } from "./headings.js";
import { overlayAxes, overlayTraces } from "./overlay.js";
import { gaps, largestMagnitude, magnitudeBelowWhich, matrix, vector } from "./panel.js";
import { DIVERGING, scale, VIRIDIS } from "./scales.js";

// Nothing pushes the drawing aside: what is drawn over it counts on these.
export const MARGIN = { l: 52, r: 18, t: 48, b: 36, autoexpand: false };
const COLUMNS = [[0, 0.31], [0.355, 0.67], [0.69, 1]];
// Before a blind decision there is no relevance to show.
const COLUMNS_BLIND = [[0, 0.47], [0.53, 1]];
const ROW_GAP = 0.025;
// A component that did not record gets a line of text, not a row.
const MISSING_ROW = 0.12;
// Colours of the STFT in dB reach so far below its largest value.
const DECIBELS = 50;
// Nearer to an edge of its column than this share, the name of an event's start or end stands inside; two take half of it.
const NEAR_EDGE = 0.08;
const TWO_NAMES = 0.45;
// Beyond this share of a map's cells, colours of relevance are full.
const SATURATED_ABOVE = 0.998;

/** Viridis over the tensor's own numbers, its steps even in dB: what is drawn stays linear, the colours do not. */
function decibelScale() {
    return [[0, VIRIDIS[0]], ...scale(VIRIDIS).map(([share, colour]) => [10 ** ((-DECIBELS * (1 - share)) / 20), colour])];
}

/** Width of what lies between the margins of a drawing, in px. */
export const innerWidth = (width) => width - MARGIN.l - MARGIN.r;

const columnsOf = ({ maps }) => (maps.length ? COLUMNS : COLUMNS_BLIND);

/** Components in the order of the rows: { letter, index, recorded, domain }. */
export function componentRows({ about, tensors }) {
    const rows = about.components.map((letter, index) => ({
        letter, index, recorded: vector(tensors.mask, index).some((sample) => sample),
    }));
    const weights = rows.map((row) => (row.recorded ? 1 : MISSING_ROW));
    const unit = (1 - ROW_GAP * (rows.length - 1)) / weights.reduce((sum, weight) => sum + weight, 0);
    let top = 1;
    return rows.map((row, i) => {
        const bottom = top - weights[i] * unit;
        const domain = [Math.max(0, bottom), top];
        top = bottom - ROW_GAP;
        return { ...row, domain };
    });
}

/** Sample times in s from the window's start. */
export function sampleTimes({ about, tensors }) {
    const length = tensors.waveform.shape.at(-1);
    return Float64Array.from({ length }, (_, i) => i / about.sampling_rate_hz);
}

function waveformTrace(panel, { index, letter }, row, times, ink) {
    const mask = vector(panel.tensors.mask, index);
    // Samples that were not recorded break the line instead of drawing as zero.
    const samples = Array.from(vector(panel.tensors.waveform, index), (value, i) => (mask[i] ? value : null));
    return {
        type: "scatter", mode: "lines", name: `${letter} waveform`, x: times, y: samples, xaxis: "x", yaxis: yName(row, 0),
        line: { width: 1, color: ink.line }, hoverinfo: "skip",
    };
}

function mapTrace(panel, { letter }, row, column, z, what) {
    return {
        type: "heatmap", name: `${letter} ${what.name}`, z, x: panel.tensors.times_s.values, y: panel.tensors.frequencies_hz.values,
        xaxis: `x${column + 1}`, yaxis: yName(row, column), coloraxis: what.coloraxis, zsmooth: false, hoverinfo: "skip",
    };
}

const yName = (row, column) => (row + column === 0 ? "y" : `y${row * 3 + column + 1}`);
const axisKey = (name) => `${name[0]}axis${name.slice(1)}`;

/** Traces of a panel. `map` is the index of the relevance map that is drawn, `overlay` whether over STFT and waveform too. */
export function traces(panel, map, ink, overlay = false) {
    const times = sampleTimes(panel);
    const relevance = panel.maps[map]?.tensor;
    const { stft } = panel.tensors;
    return componentRows(panel).flatMap((component, row) => component.recorded ? [
        waveformTrace(panel, component, row, times, ink),
        mapTrace(panel, component, row, 1, matrix(stft, component.index), { name: "STFT", coloraxis: "coloraxis" }),
        ...(relevance ? [mapTrace(panel, component, row, 2, matrix(relevance, component.index), { name: "relevance", coloraxis: "coloraxis2" })] : []),
        ...(relevance && overlay ? overlayTraces(panel, relevance, component, { stft: yName(row, 1), waveform: yName(row, 0) }) : []),
    ] : []).concat(barInDecibels());
}

/** Draws nothing: the bar in dB needs a trace that it belongs to. */
function barInDecibels() {
    return { type: "scatter", mode: "markers", x: [null], y: [null], marker: { color: [0], coloraxis: "coloraxis3" }, hoverinfo: "skip" };
}

/** Ends of the colours of numbers on both sides of zero. */
function extent({ values }) {
    return { cmin: values.reduce((a, b) => Math.min(a, b)), cmax: values.reduce((a, b) => Math.max(a, b)) };
}

const middle = ([left, right]) => (left + right) / 2;

function colourBar(columns, column, ink) {
    const [left, right] = columns[column];
    return {
        orientation: "h", x: middle(columns[column]), xanchor: "center", xpad: 0, y: 1, yanchor: "bottom", ypad: 5,
        // Shorter than the column, so that the texts at its ends keep clear of the next one.
        len: 0.86 * (right - left), lenmode: "fraction", thickness: 7, outlinewidth: 0, nticks: 5, exponentformat: "power",
        // Numbers that lean are high: they would run over the heading.
        tickangle: 0, tickfont: { size: TICK_PX, color: ink.text },
    };
}

function axes(panel, rows, ink, view) {
    const common = { gridcolor: ink.grid, zeroline: false, tickfont: { size: 11, color: ink.text }, ticks: "outside", ticklen: 3,
        tickcolor: ink.grid, automargin: false, showticksuffix: "last" };
    const duration = panel.tensors.waveform.shape.at(-1) / panel.about.sampling_rate_hz;
    const axes = {};
    columnsOf(panel).forEach((domain, column) => {
        axes[column ? `xaxis${column + 1}` : "xaxis"] = {
            ...common, domain, anchor: yName(rows.length - 1, column), range: [0, duration], uirevision: view.time,
            ...(column ? { matches: "x" } : { title: { text: `from ${panel.about.starttime} (UTC)`, font: { size: 11 }, standoff: 4 } }),
            ticksuffix: " s",
        };
    });
    const firstRecorded = rows.findIndex((row) => row.recorded);
    const frequencies = panel.tensors.frequencies_hz.values;
    rows.forEach(({ recorded, domain }, row) => columnsOf(panel).forEach((_, column) => {
        const name = yName(row, column);
        const leader = yName(firstRecorded, column ? 1 : 0);
        axes[axisKey(name)] = {
            ...common, domain, anchor: column ? `x${column + 1}` : "x", visible: recorded, uirevision: view.height,
            range: column ? [0, frequencies.at(-1)] : [-1.05, 1.05], ...(column ? { nticks: 5 } : { tickvals: [-0.5, 0.5] }), // inside, so that rows keep apart
            showticklabels: column < 2, ...(recorded && name !== leader ? { matches: leader } : {}),
            ticksuffix: column ? " Hz" : "",
        };
    }));
    return axes;
}

/** Ranges that show all of a panel, as Plotly's relayout takes them. */
export function wholeRanges(panel) {
    const all = Object.entries(axes(panel, componentRows(panel), {}, {}));
    return Object.fromEntries(all.map(([name, { range }]) => [`${name}.range`, range]));
}

/** What 1 means on the waveforms' axes: one peak for all components, or one for each. The longest text first. */
function waveformTitles({ scale: peaks, components, recorded_unit: unit }) {
    const rounded = peaks.map((peak) => Number(peak.toPrecision(3)));
    const isOne = new Set(rounded).size === 1;
    const each = isOne ? [`1 = ${rounded[0]} ${unit}`] : [`1 = ${rounded.join(", ")} ${unit} on ${components.join(", ")}`, `1 = ${rounded.join(", ")} ${unit}`];
    return [...each.map((words) => `Waveform (${words})`), "Waveform"];
}

function rowNames(rows, ink) {
    return rows.map(({ letter, recorded, domain }) => ({
        xref: "paper", yref: "paper", x: recorded ? 0 : 0.5, xshift: recorded ? -50 : 0, y: middle(domain), yanchor: "middle",
        xanchor: recorded ? "left" : "center", showarrow: false, font: { size: recorded ? 16 : 12, color: ink.text },
        text: `<b>${plain(letter)}</b>${recorded ? "" : " was not recorded"}`,
    }));
}

/** The event's span in s from the window's start, { start, end }; an end outside of the window is null. */
export function eventSpan({ about, tensors }) {
    const duration = tensors.waveform.shape.at(-1) / about.sampling_rate_hz;
    const seconds = (time) => (Date.parse(time) - Date.parse(about.starttime)) / 1000;
    const inside = (second) => (second >= 0 && second <= duration ? second : null);
    return { start: inside(seconds(about.event_start)), end: inside(seconds(about.event_end)) };
}

/** What of the event lies outside of the window, in words. */
export function outside(panel) {
    const { start, end } = eventSpan(panel);
    if (start === null && end === null) return ["The event reaches beyond this window at both ends."];
    return [start === null && "The event begins outside of this window.", end === null && "The event ends outside of this window."]
        .filter(Boolean);
}

function eventLines(panel, ink, columns) {
    const span = eventSpan(panel);
    const sides = sidesOf(span, panel.tensors.waveform.shape.at(-1) / panel.about.sampling_rate_hz);
    const marks = Object.entries(span).filter(([, second]) => second !== null);
    // Over the maps a line needs a colour that is seen on all of Viridis and on white.
    const line = (second, xref, color) => ({ type: "line", xref, yref: "paper", x0: second, x1: second, y0: 0, y1: 1,
        line: { color, width: 1.5, dash: "dash" } });
    return {
        shapes: marks.flatMap(([, second]) => [line(second, "x", ink.mark), line(second, "x2", "#ffffff"), line(second, "x3", "#333333")].slice(0, columns)),
        annotations: marks.map(([name, second]) => ({ xref: "x", yref: "paper", x: second, y: 1, yanchor: "bottom", showarrow: false,
            text: `event ${name}`, font: { size: 11, color: ink.mark }, xanchor: sides[name] })),
    };
}

/** On which side of their lines the names of start and end are anchored: they stand outside of the event, but not over an edge. */
function sidesOf({ start, end }, duration) {
    const isLong = start === null || end === null || end - start > TWO_NAMES * duration;
    const isNear = (distance) => isLong && distance < NEAR_EDGE * duration;
    return { start: isNear(start) ? "left" : "right", end: isNear(duration - end) ? "right" : "left" };
}

function gapShapes(panel, rows, ink) {
    return rows.flatMap(({ recorded, index }, row) => recorded ? gaps(vector(panel.tensors.mask, index)).flatMap(([first, last]) =>
        columnsOf(panel).map((_, column) => ({
            type: "rect", xref: column ? `x${column + 1}` : "x", yref: `${yName(row, column)} domain`, y0: 0, y1: 1, layer: "above",
            x0: first / panel.about.sampling_rate_hz, x1: (last + 1) / panel.about.sampling_rate_hz,
            fillcolor: ink.gap, opacity: column ? 0.45 : 1, line: { width: 0 },
        }))) : []);
}

/** Where the colours of the map at `index` are full; for all maps at once with `sameScale`. */
export function fullColour({ maps }, index, sameScale) {
    const shown = sameScale ? maps : maps.slice(index, index + 1);
    return Math.max(...shown.map(({ tensor }) => magnitudeBelowWhich(tensor, SATURATED_ABOVE)));
}

/** Colour axes: of the STFT, of relevance, and of the bar in dB. */
function colours(panel, map, { ink, inDecibels, sameScale }) {
    const { stft } = panel.tensors;
    const columns = columnsOf(panel);
    const axes = {
        coloraxis: { ...(panel.about.input === "log" ? extent(stft) : { cmin: 0, cmax: largestMagnitude(stft) }),
            colorscale: inDecibels ? decibelScale() : scale(VIRIDIS), showscale: !inDecibels, colorbar: colourBar(columns, 1, ink) },
        // Even colours for the bar alone: the STFT's own axis is linear.
        coloraxis3: { cmin: -DECIBELS, cmax: 0, colorscale: scale(VIRIDIS), showscale: inDecibels,
            colorbar: { ...colourBar(columns, 1, ink), ticksuffix: " dB" } },
    };
    if (!panel.maps.length) return axes;
    const full = fullColour(panel, map, sameScale);
    return { ...axes, ...overlayAxes(panel, panel.maps[map].tensor, full),
        coloraxis2: { cmin: -full, cmid: 0, cmax: full, colorscale: scale(DIVERGING), colorbar: { ...colourBar(columns, 2, ink), ...saturatedTicks(full, ink.font) } } };
}

/** What the columns are called, with their units: for each the longest text first, then what a narrow column has room for. */
function titles(panel, { what, inDecibels, sameScale }) {
    const scaled = sameScale && panel.maps.length > 1 ? " (one scale)" : "";
    const stft = panel.about.input === "log" ? ["STFT (logarithm, less its mean)", "STFT (logarithm)"]
        : [`STFT magnitude (${inDecibels ? "colours in dB" : "linear"})`, "STFT magnitude"];
    return [waveformTitles(panel.about), stft, [`Relevance for ${what}${scaled}`, `${what}${scaled}`]];
}

/**
 * Layout of a panel. `what` names what the relevance map speaks for; `view` says until when a zoom is kept:
 * `time` for this event, `height` (frequency, amplitude) for the sitting; `width` is that of the drawing in px.
 */
export function layout(panel, map, { what, ink, view, width, decibels = false, sameScale = false }) {
    const rows = componentRows(panel);
    const columns = columnsOf(panel);
    const lines = eventLines(panel, ink, columns.length);
    const inDecibels = decibels && panel.about.input !== "log"; // what is a logarithm has no decibels
    const texts = titles(panel, { what, inDecibels, sameScale });
    return {
        ...axes(panel, rows, ink, view),
        ...colours(panel, map, { ink, inDecibels, sameScale }),
        shapes: [...gapShapes(panel, rows, ink), ...lines.shapes],
        annotations: [...headings(columns, texts, ink, innerWidth(width)), ...rowNames(rows, ink), ...lines.annotations],
        meta: { headings: { columns, titles: texts } }, margin: MARGIN, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: ink.plot,
        font: { family: ink.font, color: ink.text }, showlegend: false, dragmode: "zoom", hovermode: false, uirevision: view.time,
    };
}

/** Plotly's settings: no toolbar (keys and the mouse do it), no link to anywhere. */
export const CONFIG = { displayModeBar: false, displaylogo: false, doubleClick: "reset", scrollZoom: true };
