/** The model page's two drawings: how far its probabilities can be believed, and how it learned. */
import { ink, keepSize } from "./screen.js";

const drawn = JSON.parse(document.getElementById("drawn").textContent);
const CONFIG = { displayModeBar: false, displaylogo: false, doubleClick: "reset" };
const SHARE = { range: [0, 1], dtick: 0.2, zeroline: false };

/* ---- reliability ---- */

const areas = (bins) => {
    const most = Math.max(...bins.map(({ count }) => count));
    return bins.map(({ count }) => 5 + 13 * Math.sqrt(count / most));
};

function reliabilityTrace({ bins, ece }, name, style) {
    return {
        type: "scatter", mode: "lines+markers", name: `${name}, error ${ece.toFixed(3)}`, x: bins.map((bin) => bin.confidence),
        y: bins.map((bin) => bin.accuracy), text: bins.map(({ count }) => `${count} events`), marker: { size: areas(bins), color: style.color },
        line: style, hovertemplate: "said %{x:.2f}, was right %{y:.2f}<br>%{text}<extra></extra>",
    };
}

/** Traces of the diagram: the diagonal, then before and after calibration. A larger point stands for more events. */
export function reliabilityTraces({ before, after }, colours) {
    return [
        { type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], hoverinfo: "skip", showlegend: false, line: { color: colours.grid, width: 1.5 } },
        reliabilityTrace(before, "before", { color: colours.muted, width: 1.5, dash: "dot" }),
        reliabilityTrace(after, "after", { color: colours.mark, width: 2.5 }),
    ];
}

/* ---- learning curves ---- */

// Colour-blind safe, and clear of the class colours' meaning: a curve's name always stands beside it.
const HUES = ["#0b84a5", "#d1495b", "#edae49", "#66a182", "#8d6cab", "#7f7f7f"];

/** Traces by epoch: losses in the upper axes, scores in the lower. A curve of many folds is one colour, and one key. */
export function curveTraces(curves) {
    const names = [...new Set(curves.map(({ name }) => name))];
    const several = new Set(curves.map(({ of }) => of)).size > 1;
    return curves.map(({ name, of, is_loss: isLoss, x, y }) => ({
        type: "scatter", mode: x.length > 1 ? "lines" : "markers", x, y, name, legendgroup: name, yaxis: isLoss ? "y" : "y2",
        showlegend: curves.find((curve) => curve.name === name).of === of, opacity: several ? 0.55 : 1,
        line: { width: several ? 1.25 : 2, color: HUES[names.indexOf(name) % HUES.length] },
        hovertemplate: `${plain(name)}${of ? `, ${plain(of)}` : ""}<br>epoch %{x}: %{y:.4g}<extra></extra>`,
    }));
}

const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/* ---- drawing ---- */

function common(colours) {
    const axis = { gridcolor: colours.grid, linecolor: colours.grid, tickfont: { size: 11 }, zeroline: false };
    return {
        axis,
        layout: { margin: { l: 48, r: 10, t: 8, b: 40 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
            font: { family: colours.font, color: colours.text, size: 12 }, hoverlabel: { font: { family: colours.font, size: 12 } },
            legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 11 }, entrywidth: 0 } },
    };
}

function draw(id, traces, layout) {
    const element = document.getElementById(id);
    const size = { width: element.clientWidth, height: element.clientHeight };
    return window.Plotly.react(element, traces, { ...layout, ...size }, CONFIG);
}

function drawReliability(colours) {
    const { axis, layout } = common(colours);
    return draw("reliability", reliabilityTraces(drawn.calibration, colours), { ...layout,
        xaxis: { ...axis, ...SHARE, title: { text: "probability that was said", standoff: 6, font: { size: 11 } } },
        yaxis: { ...axis, ...SHARE, title: { text: "share that was right", standoff: 6, font: { size: 11 } } } });
}

function drawCurves(colours) {
    const { axis, layout } = common(colours);
    const { curves } = drawn;
    const [both, losses] = [curves.some((c) => !c.is_loss) && curves.some((c) => c.is_loss), curves.some((c) => c.is_loss)];
    return draw("curves", curveTraces(curves), { ...layout,
        xaxis: { ...axis, anchor: both || !losses ? "y2" : "y", title: { text: "epoch", standoff: 6, font: { size: 11 } } },
        yaxis: { ...axis, domain: both ? [0.45, 1] : [0, 1], visible: losses, title: { text: "loss", standoff: 6, font: { size: 11 } } },
        yaxis2: { ...axis, domain: both ? [0, 0.38] : [0, 1], visible: both || !losses } });
}

async function drawAll() {
    const style = getComputedStyle(document.documentElement);
    const colours = { ...ink(), muted: style.getPropertyValue("--muted").trim() };
    if (drawn.calibration) await drawReliability(colours);
    if (drawn.curves) await drawCurves(colours);
    document.body.dataset.drawn = "yes";
}

for (const element of document.querySelectorAll(".drawing")) keepSize(element);
addEventListener("themechange", drawAll);
drawAll();
