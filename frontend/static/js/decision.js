/** The bar at the foot: a button for each class, what may be said beside it, and the box that asks why a label changes. */
import { chip, h } from "./dom.js";
import { className, judgedClass } from "./header.js";

export const CONFIDENCES = ["", "certain", "likely", "guess"];
export const VERDICTS = ["", "right", "wrong_reason", "wrong"];
const VERDICT_WORDS = { "": "not judged", right: "right", wrong_reason: "right class, wrong reason", wrong: "wrong" };

/** The one after `value`, the first again after the last. */
export function following(values, value) {
    return values[(values.indexOf(value) + 1) % values.length];
}

/** "waveform shape; duration" with a reason put in, or taken out where it was in already. */
export function toggleReason(text, reason) {
    const parts = text.split(";").map((part) => part.trim()).filter(Boolean);
    return (parts.includes(reason) ? parts.filter((part) => part !== reason) : [...parts, reason]).join("; ");
}

function classButton(item, one, onClass) {
    const notes = [one.code === item.event.label && "label", one.code === judgedClass(item) && "predicted",
        one.code === item.mine?.to_class && "yours"].filter(Boolean).join(", ");
    return h("button", { type: "button", class: one.code === item.event.label ? "is-label" : null, "data-class": one.code,
        onclick: () => onClass(one.code) }, h("kbd", {}, one.key), chip(one), notes ? h("small", {}, notes) : null);
}

/** What Enter does, in words: { text, able }. */
export function enterSays(item) {
    if (item.mine && !item.blind) return { text: `Keep ${item.mine.to_class ? className(item, item.mine.to_class) : "“unsure”"}`, able: true };
    const { label } = item.event;
    return label ? { text: `Confirm ${className(item, label)}`, able: true } : { text: "No label to confirm", able: false };
}

/** Buttons of the decision bar. `does` has onClass(code) and run(action); `keys` {action: words of its key}. */
export function decisionButtons(item, { keys, does }) {
    const enter = enterSays(item);
    const button = (action, text) => h("button", { type: "button", class: "look", "data-action": action, onclick: () => does.run(action) },
        h("kbd", {}, keys[action]), text);
    return [
        ...item.classes.map((one) => classButton(item, one, does.onClass)),
        h("button", { type: "button", class: "primary look", id: "confirm", disabled: !enter.able, onclick: () => does.run("confirm") },
            h("kbd", {}, "Enter"), enter.text),
        button("unsure", "Unsure"), button("postpone", "Later"),
    ];
}

function saying(action, name, value, keys, run) {
    return h("button", { type: "button", class: value ? "quiet small said" : "quiet small", "data-action": action, onclick: () => run(action) },
        h("kbd", {}, keys[action]), name, value ? h("b", {}, value) : null);
}

/** Small buttons below: what goes with a decision, and the way to everything else. `more` as `nothingMore` makes it. */
export function moreButtons(item, more, { keys, does: { run } }) {
    const hasReason = Boolean(item.prediction);
    return [
        saying("confidence", "confidence", more.confidence, keys, run),
        hasReason ? saying("verdict", "machine’s reason", more.verdict && VERDICT_WORDS[more.verdict], keys, run) : null,
        hasReason ? saying("box", "box", more.box && `${more.box.from_s.toFixed(1)}–${more.box.to_s.toFixed(1)} s`, keys, run) : null,
        saying("comment", "comment", more.comment && `“${shortened(more.comment)}”`, keys, run),
        saying("undo", "undo", "", keys, run), saying("previous", "previous", "", keys, run), saying("keys", "keys", "", keys, run),
    ].filter(Boolean);
}

const shortened = (text) => (text.length > 24 ? `${text.slice(0, 23)}…` : text);

/** What the reason box shows for a change to class `code`. */
export function reasonBox(item, code, { typed, reasons }, { onReason, onCancel }) {
    const from = className(item, item.event.label);
    return [
        h("label", { for: "reason" }, `Why is this ${className(item, code)} and not ${from}?`),
        h("div", { class: "row" },
            ...reasons.map(({ key, text }) => h("button", { type: "button", "data-reason": text,
                "aria-pressed": String(typed.includes(text)), onclick: () => onReason(text) }, h("kbd", {}, key.toUpperCase()), text))),
        h("div", { class: "row" },
            h("input", { id: "reason", name: "reason", autocomplete: "off", maxlength: "2000", value: typed,
                placeholder: "Tab: in your own words" }),
            h("button", { class: "primary" }, h("kbd", {}, "Enter"), `Record ${from} → ${className(item, code)}`),
            h("button", { type: "button", onclick: onCancel }, h("kbd", {}, "Esc"), "Cancel")),
    ];
}

/** What the box shows while a comment is written. */
export function commentBox(comment, { onCancel }) {
    return [
        h("label", { for: "comment" }, "Comment: it goes with your decision on this event"),
        h("div", { class: "row" }, h("input", { id: "comment", name: "comment", autocomplete: "off", maxlength: "2000", value: comment }),
            h("button", { class: "primary" }, h("kbd", {}, "Enter"), "Keep"),
            h("button", { type: "button", onclick: onCancel }, h("kbd", {}, "Esc"), "Cancel")),
    ];
}

/** For how long an event can be put off: [{ key, text, seconds }], the site's own time first. */
export function postponements(usual) {
    return [{ key: "Enter", text: durationWords(usual), seconds: null }, { key: "1", text: "10 minutes", seconds: 600 },
        { key: "2", text: "1 hour", seconds: 3600 }, { key: "3", text: "1 day", seconds: 86_400 }];
}

function durationWords(seconds) {
    if (!seconds) return "as usual here";
    const [size, name] = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([each]) => seconds % each === 0);
    const count = seconds / size;
    return `${count} ${name}${count === 1 ? "" : "s"}, as usual here`;
}

/** What the box shows where an event is put off. */
export function postponeBox(choices, { onChoice, onCancel }) {
    return [
        h("p", { id: "postpone-words" }, "When shall the event come again? For everybody, in"),
        h("div", { class: "row", role: "group", "aria-labelledby": "postpone-words" },
            ...choices.map((choice) => h("button", { type: "button", class: choice.seconds === null ? "primary" : null,
                "data-seconds": String(choice.seconds), onclick: () => onChoice(choice) }, h("kbd", {}, choice.key), choice.text)),
            h("button", { type: "button", onclick: onCancel }, h("kbd", {}, "Esc"), "Cancel")),
    ];
}
