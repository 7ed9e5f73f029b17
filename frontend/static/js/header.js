/** The head of the review page: which event, what was said of it, and why it is here. */
import { chip, h, utc } from "./dom.js";

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function classOf(item, code) {
    return item.classes.find((one) => one.code === code) ?? { code, name: code, colour: "#777777", key: "" };
}

/** A class as a chip, or `none` in words. */
export function classChip(item, code, none = "no label") {
    return code ? chip(classOf(item, code)) : h("span", { class: "muted" }, none);
}

export function className(item, code) {
    return classOf(item, code).name;
}

function identity(item, stations, station, onStation) {
    const { event } = item;
    const buttons = stations.map((name, i) => h("button", {
        type: "button", "aria-pressed": String(i === station), onclick: () => onStation(i),
    }, name));
    return h("div", {},
        h("h1", { id: "event-name", tabindex: "-1" }, "Event ", h("a", { href: `/events/${event.id}/` }, h("bdi", {}, event.event_id))),
        h("p", { class: "muted" }, utc(event.starttime), ` · ${event.duration_s.toFixed(1)} s`),
        h("div", { class: "stations", role: "group", "aria-label": "Station" }, buttons, stations.length > 1 ? h("kbd", {}, "T") : null));
}

function labels(item) {
    const { event, prediction } = item;
    const source = event.source ? ` (${event.source})` : "";
    return h("div", {}, h("dl", { class: "facts" },
        h("dt", {}, "Catalogue"), h("dd", {}, classChip(item, event.catalogue_label, "not in it"), h("span", { class: "muted" }, source)),
        h("dt", {}, "Label now"), h("dd", {}, classChip(item, event.label), decisions(event)),
        h("dt", {}, "Predicted"), h("dd", {}, prediction ? [classChip(item, judgedClass(item)), " ",
            h("a", { href: `/models/${prediction.model.id}/` }, `by ${item.out_of_fold ? "folds of " : ""}model ${prediction.model.number}`)] : "nothing")));
}

/** The class that is held against the label: of an event that the model learned from, by its folds that did not. */
export function judgedClass(item) {
    return item.out_of_fold ? item.judged : item.prediction?.event_class;
}

function decisions({ id, history }) {
    if (!history.length) return null;
    return h("a", { href: `/events/${id}/#history` }, ` ${history.length} decision${history.length > 1 ? "s" : ""}`);
}

function probabilities(item, station) {
    if (!item.prediction) return h("div", {});
    const { by_station: byStation = {}, event_class: remembered } = item.prediction;
    const mean = item.out_of_fold ?? item.prediction.probabilities;
    const predicted = judgedClass(item);
    const here = Object.keys(byStation).length > 1 && !item.out_of_fold ? byStation[station] : null;
    return h("div", {},
        h("div", { class: "bars", role: "group", "aria-label": "Probabilities" }, item.classes.filter(({ code }) => code in mean).flatMap((one) => [
            h("span", { class: one.code === predicted ? "predicted" : null }, one.name),
            h("span", { class: "bar", "aria-hidden": "true" },
                h("span", { style: { "--share": String(mean[one.code]), "--class": one.colour } })),
            h("span", { class: one.code === predicted ? "predicted right" : "right" }, percent(mean[one.code])),
        ])),
        item.out_of_fold ? h("p", { class: "muted small" }, `by folds that never saw the event; the model, which learned from it, says ${className(item, remembered)} ${percent(item.prediction.probability)}`) : null,
        here ? h("p", { class: "muted small" }, `mean of ${Object.keys(byStation).length} stations; here ${className(item, best(here))} ${percent(Math.max(...Object.values(here)))}`) : null);
}

const best = (shares) => Object.entries(shares).reduce((a, b) => (b[1] > a[1] ? b : a))[0];

function why(item, problems) {
    const leftOut = Object.entries(item.prediction?.left_out ?? {}).map(([station, reason]) => `${station} was left out: ${reason}`);
    const all = [...problems, ...leftOut];
    return h("div", {},
        h("p", { class: "why" }, item.reason_text),
        item.standing ? h("p", { class: "muted small", id: "standing", title: "Why it stands where it stands in the queue" }, item.standing) : null,
        item.event.description ? h("p", { class: "muted" }, h("bdi", {}, item.event.description)) : null,
        all.length ? h("ul", { class: "problems", "aria-label": "Problems of the record" }, all.map((text) => h("li", {}, text))) : null);
}

/** The four blocks of the head. `station` is the index of the one that is shown. */
export function eventHead(item, { stations, station, problems, onStation }) {
    return [identity(item, stations, station, onStation), labels(item), probabilities(item, stations[station]), why(item, problems)];
}
