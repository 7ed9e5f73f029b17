/** Puts a panel on the screen, in the colours of the moment. */
import { getBytes } from "./api.js";
import { refitted } from "./headings.js";
import { completePanel, decodePanel } from "./panel.js";
import { CONFIG, innerWidth, layout, traces, wholeRanges } from "./plots.js";

// Plotly is by far the largest file: everything else is fetched and read while it is on its way.
const plotly = window.Plotly ? Promise.resolve() : new Promise((resolve, reject) => {
    const script = document.getElementById("plotly");
    script?.addEventListener("load", resolve);
    script?.addEventListener("error", () => reject(new Error("Plotly, which draws the panels, could not be loaded. Load the page again.")));
});
plotly.catch(() => {}); // whoever draws is told

const kept = new Map();
const MOST_KEPT = 24;

function fetched(key, fetch) {
    if (!kept.has(key)) {
        if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
        const panel = fetch();
        panel.catch(() => kept.delete(key));
        kept.set(key, panel);
    }
    return kept.get(key);
}

/** The panel at `url`, fetched once: its bytes never change. */
export function fetchPanel(url) {
    return fetched(url, () => getBytes(url).then(decodePanel));
}

/**
 * The same, quicker: with its first relevance map only. `complete()` fetches the others once, and resolves when they are
 * in `maps`. A panel without the machine's opinion has no parts.
 */
export function fetchFirst(url) {
    if (!url.endsWith("/panel/")) return fetched(url, () => getBytes(url).then(decodePanel).then(inParts(null)));
    return fetched(`${url} in parts`, () => getBytes(`${url}?part=first`).then(decodePanel).then(inParts(`${url}?part=other-maps`)));
}

const inParts = (others) => (panel) => {
    let coming = null;
    const isWhole = others === null || panel.maps.every(({ tensor }) => tensor !== null);
    return Object.assign(panel, { complete: () => (coming ??= isWhole ? Promise.resolve(panel) : getBytes(others).then((bytes) => completePanel(panel, bytes))) });
};

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
export async function draw(element, panel, map, looks) {
    await plotly;
    const colours = ink();
    const place = size(element);
    const drawing = { ...layout(panel, map, { ...looks, ink: colours, width: place.width }), ...place };
    return window.Plotly.react(element, traces(panel, map, colours, looks.overlay), drawing, CONFIG);
}

function size(element) {
    return { width: element.clientWidth, height: element.clientHeight };
}

/** Keeps the drawing as large as its place. */
export function keepSize(element) {
    new ResizeObserver(() => {
        const { layout: drawn, clientWidth: width, clientHeight: height } = element;
        if (drawn && width && (drawn.width !== width || drawn.height !== height)) window.Plotly.relayout(element, { width, height, ...refitted(drawn, innerWidth(width)) });
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
