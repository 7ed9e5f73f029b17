/** Two views of one event side by side, and what was decided on it before. */
import { h, utc } from "./dom.js";
import { classChip, className } from "./header.js";

const VERDICTS = { right: "the machine’s reason is right", wrong_reason: "right class, wrong reason", wrong: "the machine’s reason is wrong" };
const KINDS = { confirm: "confirmed", correct: "changed", first: "gave the first label", withdraw: "withdrew a decision", blind: "before seeing the machine",
    opinion: "second opinion", unsure: "could not tell", span: "moved the boundaries", merge: "merged" };

/** What was said beside the class, in one line. */
export function saidBeside({ confidence, verdict, comment } = {}) {
    return [confidence, verdict && VERDICTS[verdict], comment && `“${comment}”`].filter(Boolean).join(" · ");
}

/** One opinion: who, when, which class, why. */
function opinion(item, { expert, decided_at: at, to_class: code, reason, details = {} }, heading) {
    const beside = saidBeside(details);
    return h("div", { class: "opinion" }, h("h3", {}, heading), h("p", {}, code ? classChip(item, code) : "could not tell"),
        h("p", { class: "muted small" }, h("bdi", {}, expert ?? "an expert"), at ? [" · ", utc(at)] : null),
        reason ? h("p", {}, "Because: ", h("bdi", {}, reason)) : null, beside ? h("p", {}, h("bdi", {}, beside)) : null);
}

/** Somebody else decided first: theirs and mine, and the two ways on. */
export function bothViews(item, { theirs, mine, words }, { onNext, onAsk }) {
    return [
        h("p", { class: "why" }, words),
        h("div", { class: "side-by-side" }, opinion(item, theirs, "What was decided"), opinion(item, mine, "What you would have decided")),
        h("div", { class: "row" },
            h("button", { type: "button", class: "primary", id: "take-next", onclick: onNext }, h("kbd", {}, "Enter"), "Take the next"),
            h("button", { type: "button", id: "ask-again", onclick: onAsk }, "Ask for another review of this event")),
    ];
}

/** Two experts disagree: both opinions, for whoever decides between them. */
export function toAdjudicate(item) {
    return [h("p", { class: "why" }, "Two experts see this event differently. Your decision holds."),
        h("div", { class: "side-by-side" }, item.opinions.map((row, i) => opinion(item, row, i ? "The other opinion" : "One opinion")))];
}

/** After a blind decision: what the expert said, and what the machine says. */
export function afterBlind(item) {
    const { mine, prediction } = item;
    const yours = mine.to_class ? className(item, mine.to_class) : "unsure";
    const machine = prediction ? `${className(item, prediction.event_class)} (${Math.round(100 * prediction.probability)} %)` : "nothing";
    return [h("p", { class: "why" }, "You said ", h("b", {}, yours), " before you saw that the machine says ", h("b", {}, machine), ". Keep it with Enter, or choose another class.")];
}

/** What was decided on the event before, newest first. */
export function historyList(item) {
    const rows = [...item.event.history].reverse();
    if (!rows.length) return [h("p", { class: "muted" }, "No expert has decided on this event yet.")];
    return [h("ol", { class: "history" }, rows.map((row) => h("li", {},
        h("p", {}, h("bdi", {}, row.expert), ` ${KINDS[row.kind] ?? row.kind}: `, row.kind === "correct" ? [classChip(item, row.from_class), " → "] : null,
            classChip(item, row.to_class, row.kind === "unsure" ? "could not tell" : "no label")),
        h("p", { class: "muted small" }, utc(row.decided_at), ` · #${row.sequence}`),
        row.reason ? h("p", {}, "Because: ", h("bdi", {}, row.reason)) : null,
        saidBeside(row.details) ? h("p", {}, h("bdi", {}, saidBeside(row.details))) : null)))];
}
