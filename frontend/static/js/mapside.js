/** Beside the map: the legend, whose groups can be hidden, and the list of what was chosen. */
import { h } from "./dom.js";
import { groupChip } from "./mapcard.js";
import { GREY } from "./mapdata.js";
import { channels, contrast, stampOf } from "./mapshapes.js";
import { colours } from "./timeline.js";

const MARK_PX = 16;
const MOST_LISTED = 100;
const figure = (number) => number.toLocaleString("en").replaceAll(",", " ");

/** A group's point, as it is on the map. */
function mark({ colour, shape, isWindows }) {
    const ratio = devicePixelRatio || 1, side = Math.round(MARK_PX * ratio);
    const canvas = h("canvas", { width: String(side), height: String(side), "aria-hidden": "true" });
    const ink = colours();
    const fill = channels(colour === GREY ? ink.muted : colour), muted = channels(ink.muted);
    const isFaint = contrast(fill, channels(ink.surface)) < 1.9;
    const stamp = stampOf({ shape, fill, outline: isFaint ? muted : fill, radius: (isWindows ? 2.2 : 4.6) * ratio, edge: isFaint ? ratio : 0 });
    const image = new ImageData(side, side);
    const middle = side >> 1;
    stamp.dx.forEach((dx, i) => image.data.set([...stamp.colour.subarray(3 * i, 3 * i + 3), stamp.alpha[i]], 4 * ((middle + stamp.dy[i]) * side + middle + dx)));
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
}

/** Clusters are called by their numbers: the legend says once what they are. */
function nameOf({ name, mark: number }) {
    return number ? [h("span", { class: "visually-hidden" }, "Cluster"), " ", h("b", {}, number)] : h("bdi", {}, name);
}

/** Buttons of all groups: pressed are those shown. `hidden` are keys of groups; `onHide(hidden)` hears of other ones. */
export function legend({ groups }, hidden, onHide) {
    const turn = (key) => {
        const next = new Set(hidden);
        if (!next.delete(key)) next.add(key);
        onHide(next);
    };
    const all = new Set(groups.map(({ key }) => key));
    return [
        ...groups.map((group, i) => h("button", { type: "button", class: "map-group", "data-group": String(i), "aria-pressed": String(!hidden.has(group.key)),
            onclick: () => turn(group.key), title: hidden.has(group.key) ? "Show" : "Hide" }, mark(group), nameOf(group), h("span", { class: "number" }, figure(group.count)))),
        h("span", { class: "row" }, h("button", { type: "button", class: "quiet small", id: "show-all", disabled: !hidden.size, onclick: () => onHide(new Set()) }, "All"),
            h("button", { type: "button", class: "quiet small", id: "show-none", disabled: hidden.size === groups.length, onclick: () => onHide(all) }, "None")),
    ];
}

/** How many points of a choice each group has: chips with numbers, largest first. */
export function choiceCounts(rows, { groups, of }) {
    const counts = groups.map(() => 0);
    for (const row of rows) counts[of[row]] += 1;
    const some = groups.map((group, i) => [group, counts[i]]).filter(([, count]) => count).sort(([, a], [, b]) => b - a);
    return some.map(([group, count]) => h("li", {}, groupChip(group), " ", h("b", { class: "number" }, figure(count))));
}

/** The chosen points, a line each, newest first. `facts(row)` as `factsOf` gives them. */
export function choiceList(rows, { site, facts, onLook, onDrop }) {
    const listed = [...rows].reverse().slice(0, MOST_LISTED);
    const lines = listed.map((row) => {
        const { isWindow, event, start, station, group, isAsked } = facts(row);
        const time = new Date(start).toISOString();
        const address = isWindow ? `/sites/${site}/record/?${new URLSearchParams({ station: station ?? "", at: time, length_s: "60" })}` : `/events/${event}/`;
        return h("li", {}, groupChip({ ...group, name: group.single ?? group.name }), h("a", { href: address, onfocus: () => onLook(row), onmouseenter: () => onLook(row) }, h("time", { datetime: time }, time.replace("T", " ").slice(0, 19))),
            isAsked ? h("span", { class: "badge good" }, "sent") : null,
            h("button", { type: "button", class: "quiet small", "aria-label": `Let go of the point at ${time}`, onclick: () => onDrop(row) }, "×"));
    });
    return rows.size > MOST_LISTED ? [...lines, h("li", { class: "muted" }, `and ${figure(rows.size - MOST_LISTED)} more`)] : lines;
}

/** What became of points that were sent, in words. `answers` as POST maps/{id}/review/ gives them. */
export function resultWords(answers) {
    const sum = (name) => answers.reduce((total, answer) => total + answer[name], 0);
    const refused = answers.flatMap((answer) => answer.refused);
    const parts = [[sum("asked"), "in the queue now"], [sum("already"), "waited there already"], [sum("added"), "made new events, for review"]];
    const words = parts.filter(([count]) => count).map(([count, what]) => `${figure(count)} ${what}`).join(", ");
    return { words: words ? `${words}.` : "Nothing was sent.", refused };
}
