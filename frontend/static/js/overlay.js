/** Relevance laid over what it is about: over the STFT, cell by cell, and behind the waveform, summed over frequency. */
import { matrix } from "./panel.js";
import { DIVERGING } from "./scales.js";

// Zero is clear, so that what lies below stays seen; the ends are as dense as this.
const DENSEST = 0.85;

/** The diverging colours, from dense to clear to dense. */
function clearAtZero() {
    return DIVERGING.map((colour, i) => {
        const place = i / (DIVERGING.length - 1);
        const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
        return [place, `rgba(${red},${green},${blue},${(DENSEST * Math.abs(2 * place - 1)).toFixed(3)})`];
    });
}

/** Relevance of one component at each moment: its map summed over frequency. Float64Array (time,). */
export function relevanceOverTime(tensor, index) {
    const rows = matrix(tensor, index);
    return Float64Array.from(rows[0], (_, column) => rows.reduce((sum, row) => sum + row[column], 0));
}

/** Two heatmaps for a component: over its STFT, and behind its waveform; `axes` names both of their y axes. */
export function overlayTraces(panel, relevance, { index, letter }, axes) {
    const times = panel.tensors.times_s.values;
    const common = { type: "heatmap", x: times, zsmooth: false, hoverinfo: "skip" };
    return [
        { ...common, name: `${letter} relevance over STFT`, z: matrix(relevance, index), y: panel.tensors.frequencies_hz.values,
            xaxis: "x2", yaxis: axes.stft, coloraxis: "coloraxis4" },
        { ...common, name: `${letter} relevance behind waveform`, z: [relevanceOverTime(relevance, index)], y: [-1.05, 1.05],
            xaxis: "x", yaxis: axes.waveform, coloraxis: "coloraxis5" },
    ];
}

/** Colour axes of both; `full` is where the colours of the map itself are full. */
export function overlayAxes(panel, relevance, full) {
    const sums = panel.about.components.flatMap((_, index) => [...relevanceOverTime(relevance, index)].map(Math.abs));
    const most = Math.max(...sums) || 1;
    const axis = (end) => ({ cmin: -end, cmid: 0, cmax: end, colorscale: clearAtZero(), showscale: false });
    return { coloraxis4: axis(full), coloraxis5: axis(most) };
}
