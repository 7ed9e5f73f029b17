/** The bar at the foot: a button for each class, and the box that asks why a label changes. */
import { chip, h } from "./dom.js";
import { className, judgedClass } from "./header.js";

/** Common reasons for a change, one key each. */
export const REASONS = [
    { key: "w", text: "waveform shape" },
    { key: "f", text: "frequency content" },
    { key: "d", text: "duration" },
    { key: "p", text: "no P and S arrivals" },
    { key: "o", text: "other stations show it" },
    { key: "c", text: "catalogue was wrong" },
];

/** "waveform shape; duration" with a reason put in, or taken out where it was in already. */
export function toggleReason(text, reason) {
    const parts = text.split(";").map((part) => part.trim()).filter(Boolean);
    return (parts.includes(reason) ? parts.filter((part) => part !== reason) : [...parts, reason]).join("; ");
}

function classButton(item, one, onClass) {
    const isLabel = one.code === item.event.label;
    const isPredicted = one.code === judgedClass(item);
    const notes = [isLabel && "label", isPredicted && "predicted"].filter(Boolean).join(", ");
    return h("button", { type: "button", class: isLabel ? "is-label" : null, "data-class": one.code, onclick: () => onClass(one.code) },
        h("kbd", {}, one.key), chip(one), notes ? h("small", {}, notes) : null);
}

/** Buttons of the decision bar. `does` has onClass, onConfirm, onSkip, onKeys. */
export function decisionButtons(item, progress, does) {
    const { label } = item.event;
    return [
        ...item.classes.map((one) => classButton(item, one, does.onClass)),
        h("button", { type: "button", class: "primary look", id: "confirm", disabled: !label, onclick: does.onConfirm },
            h("kbd", {}, "Enter"), label ? `Confirm ${className(item, label)}` : "No label to confirm"),
        h("button", { type: "button", class: "look", onclick: does.onSkip }, h("kbd", {}, "S"), "Skip"),
        h("button", { type: "button", class: "look", onclick: does.onKeys }, h("kbd", {}, "?"), "Keys"),
        h("span", { class: "progress" }, progress),
    ];
}

/** What the reason box shows for a change to class `code`. */
export function reasonBox(item, code, typed, { onReason, onCancel }) {
    const from = className(item, item.event.label);
    return [
        h("label", { for: "reason" }, `Why is this ${className(item, code)} and not ${from}?`),
        h("div", { class: "row" },
            ...REASONS.map(({ key, text }) => h("button", { type: "button", "data-reason": text,
                "aria-pressed": String(typed.includes(text)), onclick: () => onReason(text) }, h("kbd", {}, key.toUpperCase()), text))),
        h("div", { class: "row" },
            h("input", { id: "reason", name: "reason", autocomplete: "off", maxlength: "2000", value: typed,
                placeholder: "Tab: in your own words" }),
            h("button", { class: "primary" }, h("kbd", {}, "Enter"), `Record ${from} → ${className(item, code)}`),
            h("button", { type: "button", onclick: onCancel }, h("kbd", {}, "Esc"), "Cancel")),
    ];
}

/** Lines of the key list: [key, meaning]. */
export function keyList(item) {
    return [
        ...(item?.classes ?? []).map(({ key, name }) => [key, `label it ${name}; a change asks for a reason`]),
        ["Enter", "confirm the label; in the reason box: record the change"],
        ["S", "skip: the event comes again later"],
        ["R", "next relevance map: for the predicted class, for the one it is held against, for the one and not the other"],
        ["T", "next station of the event"],
        ["D", "colours of the STFT linear or in dB; its numbers stay the network’s input"],
        ["0", "whole window again, as a double click does; drag or turn the wheel to zoom"],
        ["Esc", "close the reason box or this list"],
        ["?", "this list"],
    ];
}
