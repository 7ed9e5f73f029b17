/** The head of the review page: which event, what was said of it, and why it is here. */
import { chip, h, utc } from "./dom.js";

export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function classOf(item, code) {
    return item.classes.find((one) => one.code === code) ?? { code, name: code, colour: "#777777", key: "" };
}

/** A class as a chip, or `none` in words. */
export function classChip(item, code, none = "no label") {
    return code ? chip(classOf(item, code)) : h("span", { class: "muted" }, none);
}

export function className(item, code) {
    return code ? classOf(item, code).name : "no label";
}

/** The class that is held against the label: of an event that the model learned from, by its folds that did not. */
export function judgedClass(item) {
    return item.out_of_fold ? item.judged : item.prediction?.event_class;
}

function identity(item, { stations, station, onStation, keys }) {
    const { event } = item;
    const buttons = stations.map((name, i) => h("button", {
        type: "button", "aria-pressed": String(i === station), onclick: () => onStation(i),
    }, name));
    return h("div", {},
        h("h1", { id: "event-name", tabindex: "-1" }, "Event ", h("a", { href: `/events/${event.id}/` }, h("bdi", {}, event.event_id))),
        h("p", { class: "muted when" }, weekday(event.starttime), " ", utc(event.starttime), ` · ${event.duration_s.toFixed(1)} s`),
        h("div", { class: "stations", role: "group", "aria-label": "Station" }, stations.length > 1 ? h("kbd", {}, keys.station) : null, buttons));
}

function labels(item, { onHistory, keys }) {
    const { event, prediction } = item;
    const source = event.source ? ` (${event.source})` : "";
    const said = prediction ? [classChip(item, judgedClass(item)), " ",
        h("a", { href: `/models/${prediction.model.id}/` }, `by ${item.out_of_fold ? "folds of " : ""}model ${prediction.model.number}`)] : "nothing";
    return h("div", {}, h("dl", { class: "facts" },
        h("dt", {}, "Catalogue"), h("dd", {}, classChip(item, event.catalogue_label, item.independent ? "kept back" : "not in it"), h("span", { class: "muted" }, source)),
        h("dt", {}, "Label now"), h("dd", {}, classChip(item, event.label, item.independent ? "kept back" : "no label"), decisions(event, onHistory, keys)),
        h("dt", {}, "Predicted"), h("dd", {}, item.blind ? h("span", { class: "muted" }, "shown when you have decided") : said)));
}

function decisions({ history }, onHistory, keys) {
    if (!history.length) return null;
    return [" ", h("button", { type: "button", class: "link", id: "history-button", onclick: onHistory },
        `${history.length} decision${history.length > 1 ? "s" : ""}`), " ", h("kbd", {}, keys.history)];
}

function bars(item, shares, marked) {
    return h("div", { class: "bars", role: "group", "aria-label": "Probabilities" }, item.classes.filter(({ code }) => code in shares).flatMap((one) => [
        h("span", { class: one.code === marked ? "predicted" : null }, one.name),
        h("span", { class: "bar", "aria-hidden": "true" },
            h("span", { style: { "--share": String(shares[one.code]), "--class": one.colour } })),
        h("span", { class: one.code === marked ? "predicted right" : "right" }, percent(shares[one.code])),
    ]));
}

function probabilities(item, station) {
    if (!item.prediction) return h("div", {}, item.blind ? h("p", { class: "muted" }, "You decide first. Then the machine’s opinion and its maps are shown, and you decide again.") : null);
    const { by_station: byStation = {}, event_class: remembered } = item.prediction;
    const mean = item.out_of_fold ?? item.prediction.probabilities;
    const here = Object.keys(byStation).length > 1 && !item.out_of_fold ? byStation[station] : null;
    const folds = `by folds that never saw the event; the model, which learned from it, says ${className(item, remembered)} ${percent(item.prediction.probability)}`;
    return h("div", {}, bars(item, mean, judgedClass(item)),
        item.out_of_fold ? h("p", { class: "muted small line", title: folds }, folds) : null,
        here ? h("p", { class: "muted small line" }, `mean of ${Object.keys(byStation).length} stations; here ${className(item, best(here))} ${percent(Math.max(...Object.values(here)))}`) : null);
}

/** The day of the week in UTC: blasting keeps working days. */
const weekday = (time) => ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][new Date(time).getUTCDay()];

const best = (shares) => Object.entries(shares).reduce((a, b) => (b[1] > a[1] ? b : a))[0];

function why(item, problems) {
    const leftOut = Object.entries(item.prediction?.left_out ?? {}).map(([station, reason]) => `${station} was left out: ${reason}`);
    const all = [...problems, ...leftOut];
    return h("div", {},
        h("p", { class: "why" }, item.reason_text),
        item.standing ? h("p", { class: "muted small", id: "standing", title: "Why it stands where it stands in the queue" }, item.standing) : null,
        saysMore(item) ? h("p", { class: "muted line", title: item.event.description }, h("bdi", {}, item.event.description)) : null,
        all.length ? h("ul", { class: "problems", tabindex: "0", "aria-label": "Problems of the record" }, all.map((text) => h("li", {}, text))) : null);
}

/** Whether an event's description says more than its class. */
function saysMore({ event: { description, catalogue_label: code } }) {
    return description && description.trim().toLowerCase().replaceAll(" ", "_") !== code;
}

/**
 * The four blocks of the head. `shown` has stations, station (index of the one that is shown), problems, keys ({action:
 * words of its key}), onStation(index), onHistory().
 */
export function eventHead(item, shown) {
    return [identity(item, shown), labels(item, shown), probabilities(item, shown.stations[shown.station]), why(item, shown.problems)];
}
