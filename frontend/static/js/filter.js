/** Which events of the queue are asked for: read from the page's address, sent with every question, shown as chips. */
import { h } from "./dom.js";

const WORDS = { reason: "why", label: "label", judged: "machine says", station: "station", starttime_after: "from",
    starttime_before: "until", probability_min: "probability at least", probability_max: "probability at most" };
const NUMBERS = ["probability_min", "probability_max"];

/** {name: value} of an address's query, as the API's `filter` wants it: names that it does not know are left out. */
export function filterOf(query) {
    const given = [...new URLSearchParams(query)].filter(([name, value]) => name in WORDS && value.trim() !== "");
    return Object.fromEntries(given.map(([name, value]) => [name, NUMBERS.includes(name) ? Number(value) : value]));
}

/** The body of a question, with the filter where there is one. */
export function asking(body, filter) {
    return Object.keys(filter).length ? { ...body, filter } : body;
}

/** A filter as the query of an address. */
export function queryOf(filter) {
    return new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)])).toString();
}

/** Chips that say what is filtered, each with its end; none where nothing is. */
export function filterChips(filter) {
    const entries = Object.entries(filter);
    if (!entries.length) return [];
    const without = (name) => `?${queryOf(Object.fromEntries(entries.filter(([other]) => other !== name)))}`;
    return [h("span", { class: "muted" }, "Only events with"),
        ...entries.map(([name, value]) => h("span", { class: "filter-chip" }, `${WORDS[name]}: `, h("bdi", {}, String(value).replaceAll("_", " ")),
            h("a", { href: without(name), "aria-label": `Without ${WORDS[name]}`, title: `Without ${WORDS[name]}` }, "×"))),
        h("a", { href: "?", id: "filter-clear" }, "clear")];
}
