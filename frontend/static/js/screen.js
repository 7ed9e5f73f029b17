/** Puts a panel on the screen, in the colours of the moment. */
import { decodePanel } from "./panel.js";
import { getBytes } from "./api.js";
import { CONFIG, layout, traces, wholeRanges } from "./plots.js";

const kept = new Map();
const MOST_KEPT = 24;

/** The panel at `url`, fetched once: its bytes never change. */
export function fetchPanel(url) {
    if (!kept.has(url)) {
        if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
        const panel = getBytes(url).then(decodePanel);
        panel.catch(() => kept.delete(url));
        kept.set(url, panel);
    }
    return kept.get(url);
}

/** Colours of the page as it looks now. */
export function ink() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    return { text: colour("text"), line: colour("text"), grid: colour("line"), plot: colour("surface"), mark: colour("accent"),
        gap: colour("line"), font: colour("font") };
}

/**
 * Draws `panel` into `element`; `map` is the index of the relevance map that is shown. `looks` has what, view, decibels,
 * sameScale (see `layout`) and overlay (see `traces`). Resolves when drawn.
 */
export function draw(element, panel, map, looks) {
    const colours = ink();
    const drawing = { ...layout(panel, map, { ...looks, ink: colours }), ...size(element) };
    return window.Plotly.react(element, traces(panel, map, colours, looks.overlay), drawing, CONFIG);
}

function size(element) {
    return { width: element.clientWidth, height: element.clientHeight };
}

/** Keeps the drawing as large as its place. */
export function keepSize(element) {
    new ResizeObserver(() => {
        const { layout: drawn, clientWidth: width, clientHeight: height } = element;
        if (drawn && width && (drawn.width !== width || drawn.height !== height)) window.Plotly.relayout(element, { width, height });
    }).observe(element);
}

/** Whether nobody has zoomed into frequencies or amplitudes, which outlast an event. */
export function showsAllHeights(element, panel) {
    return Object.entries(wholeRanges(panel)).every(([name, whole]) => {
        const axis = name.replace(".range", "");
        const range = element.layout?.[axis]?.range;
        return !axis.startsWith("yaxis") || !range || range.every((end, i) => Math.abs(end - whole[i]) < 1e-9);
    });
}

/** Back to the whole window and every frequency. */
export function wholeWindow(element, panel) {
    return window.Plotly.relayout(element, wholeRanges(panel));
}
