/** What the catalogue's dialogs say before many events change, and the line after it. */
import { chip, h, utc } from "./dom.js";

const plural = (count, one = "event") => `${count} ${one}${count === 1 ? "" : "s"}`;

/** How many events have which label now and what becomes of them, the first of them, a place for the reason. */
export function preview({ count, changed, unchanged, by_class: labels, sample, held, held_count: heldCount }, classes, code) {
    const shown = (label) => (label && classes[label] ? chip(classes[label]) : h("span", { class: "muted" }, label || "no label"));
    const rows = Object.entries(labels).sort((a, b) => b[1] - a[1]).map(([label, number]) => h("tr", {},
        h("td", { class: "right number" }, String(number)), h("td", {}, shown(label)),
        h("td", {}, label === code ? h("span", { class: "muted" }, "confirmed") : ["→ ", shown(code)])));
    return [
        h("h2", { id: "bulk-title" }, `Relabel ${plural(count)} as ${classes[code].name}?`),
        h("p", {}, `${changed} change, ${unchanged} ${unchanged === 1 ? "keeps its label and is" : "keep their label and are"} confirmed. Each gets a row of the ledger; open questions about them are done.`),
        h("table", { class: "fit" }, h("thead", {}, h("tr", {}, ["Events", "Label now", "Then"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows)),
        heldCount > 0 && h("p", { class: "message warn" }, `Left out, because another expert is looking at ${heldCount === 1 ? "it" : "them"}: `, held.map((event) => event.event_id).join(", "), "."),
        sample.length > 0 && h("details", { open: sample.length <= 5 }, h("summary", {}, sample.length < changed ? `The first ${sample.length} of them` : "The events"),
            h("ul", { class: "plain sample" }, sample.map((event) => h("li", {}, h("a", { href: `/events/${event.id}/`, target: "_blank" }, h("bdi", {}, event.event_id)),
                " ", utc(event.starttime), " ", shown(event.label))))),
        reasonField(true),
        buttons(`Relabel ${plural(count)}`, count === 0),
    ];
}

/** Which event stays and which go into it. */
export function merging(events) {
    const [first, ...others] = [...events].sort((a, b) => a.start.localeCompare(b.start));
    const labels = new Set(events.map(({ label }) => label));
    return [
        h("h2", { id: "bulk-title" }, `Merge ${plural(events.length)} into one?`),
        h("p", {}, h("bdi", {}, first.name), ` (${first.label || "no label"}), the earliest, stays and spans them all. `,
            "Listed no more: ", others.map(({ name }) => name).join(", "), "."),
        labels.size > 1 && h("p", { class: "message warn" }, `Their labels differ (${[...labels].map((label) => label || "no label").join(", ")}). The earliest event's label stays.`),
        h("p", { class: "muted" }, "This cannot be taken back with one press: their decisions stay in the ledger, and the merged event can be split again."),
        reasonField(false),
        buttons("Merge into one"),
    ];
}

/** What was done, in a sentence. */
export function said({ written, skipped, name, withdrawn, left }) {
    if (withdrawn !== undefined) {
        return `Taken back: ${plural(withdrawn)} have the label from before.` + (left ? ` ${plural(left)} stayed: somebody decided on them since.` : "");
    }
    return `${plural(written)} relabelled as ${name}.` + (skipped ? ` ${plural(skipped)} left out: other experts were looking at them.` : "");
}

function reasonField(isRequired) {
    return h("label", {}, isRequired ? "Reason, written down with each" : "Reason", h("input", { name: "reason", required: isRequired, maxlength: 2000, autocomplete: "off", autofocus: true }));
}

function buttons(text, isDisabled = false) {
    return h("div", { class: "row" }, h("button", { class: "primary", value: "do", disabled: isDisabled }, text),
        h("button", { value: "cancel", formnovalidate: true }, "Cancel"));
}
