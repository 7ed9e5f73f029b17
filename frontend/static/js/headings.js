/** Texts above the columns of a panel: as much of them as their column is wide, and numbers that never lean. */

const SIZE_PX = 13;
export const TICK_PX = 11;
// Of the narrowest window that is supported: five numbers stand beside each other below a bar of this length.
const NARROWEST_BAR_PX = 245;
const BETWEEN_PX = 8;
const SUPERSCRIPT = { "-": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((sign, digit) => [digit, sign])) };
const pen = new OffscreenCanvas(1, 1).getContext("2d");

// Plotly reads some markup in texts; names have none.
export const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const middle = ([left, right]) => (left + right) / 2;

function widthOf(text, font) {
    pen.font = font;
    return pen.measureText(text).width;
}

/** The first of `texts` that is at most `px` wide; where all are wider, as much of the last as fits. */
export function fitting(texts, px, font) {
    const fits = (text) => widthOf(text, font) <= px;
    const letters = [...texts.at(-1)];
    const cut = () => `${letters.join("").trimEnd()}…`;
    const found = texts.find(fits);
    if (found) return found;
    while (letters.length > 1 && !fits(cut())) letters.pop();
    return cut();
}

function textOf(texts, [left, right], { width, font }) {
    return `<b>${plain(fitting(texts, (right - left) * width, `bold ${SIZE_PX}px ${font}`))}</b>`;
}

/** Annotations, one a column: of `titles`, the longest text of each that fits into a drawing `width` px wide. */
export function headings(columns, titles, ink, width) {
    return columns.map((domain, column) => ({
        xref: "paper", yref: "paper", x: middle(domain), xanchor: "center", y: 1, yanchor: "bottom", yshift: 29, showarrow: false,
        text: textOf(titles[column], domain, { width, font: ink.font }), font: { size: SIZE_PX, color: ink.text },
    }));
}

/** What to relayout where a drawing becomes `width` px wide, whose layout has `headings` first among its annotations. */
export function refitted({ meta, font }, width) {
    const { columns = [], titles } = meta?.headings ?? {};
    return Object.fromEntries(columns.map((domain, column) =>
        [`annotations[${column}].text`, textOf(titles[column], domain, { width, font: font.family })]));
}

/** A number with two digits: −0.016, or −1.6·10⁻⁵ where zeros would say nothing. */
export function shortNumber(value) {
    const [digits, power] = value.toExponential(1).split("e");
    const isPlain = value === 0 || Math.abs(Number(power)) <= 3;
    const text = isPlain ? String(Number(value.toPrecision(2))) : `${Number(digits)}·10${[...String(Number(power))].map((sign) => SUPERSCRIPT[sign]).join("")}`;
    return text.replace("-", "−");
}

/** Ticks of a bar from -full to full whose ends stand for everything beyond: five, or three where five are too wide. */
export function saturatedTicks(full, font) {
    const end = full * 0.999; // a hair inside, for a tick on the very end may be rounded away
    const five = { tickvals: [-end, -full / 2, 0, full / 2, end],
        ticktext: [`≤ ${shortNumber(-full)}`, shortNumber(-full / 2), "0", shortNumber(full / 2), `≥ ${shortNumber(full)}`] };
    const widths = five.ticktext.map((text) => widthOf(text, `${TICK_PX}px ${font}`));
    const isTight = widths.some((width, i) => i && (widths[i - 1] + width) / 2 + BETWEEN_PX > NARROWEST_BAR_PX / 4);
    const odd = (list) => list.filter((_, i) => i % 2 === 0);
    return isTight ? { tickvals: odd(five.tickvals), ticktext: odd(five.ticktext) } : five;
}
