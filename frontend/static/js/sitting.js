/** Going back: the events of this sitting to look at again, and the last decision taken back. */
import { post } from "./api.js";
import { h } from "./dom.js";
import { arrive, keysNow, leaving, look, next } from "./flow.js";
import { className } from "./header.js";
import { now, part, say, setState, site, sitting, state, trouble } from "./state.js";

/** What a withdrawal did, in words. */
export function undoneWords(item, { to_class: label }) {
    return `${label ? `its label is ${className(item, label)} again` : "it is without a label again"}. Decide anew.`;
}

/** Which newer decisions were left, because somebody decided on those events since; a sentence, or nothing. */
export function passedOverWords(passed) {
    if (!passed.length) return "";
    const [{ event_id: event, by }] = passed;
    return ` Passed over: ${event}, which ${by} decided since${passed.length > 1 ? `, and ${passed.length - 1} more` : ""}.`;
}

/** Takes back the newest decision of this expert at this site that can be; the event comes back to be decided anew. */
export async function undo() {
    now.back = null;
    await leaving(async () => {
        const { relabel, item, counts, passed_over: passed } = await post("/api/v1/review-items/undo/", { site });
        const place = sitting.findIndex((decided) => decided.relabel.sequence === relabel.details.withdraws);
        if (place >= 0) sitting.splice(place, 1);
        say(h("span", { "data-undone": relabel.sequence }, "Taken back: ", h("bdi", {}, relabel.event_id), item ? `; ${undoneWords(item, relabel)}` : "; another expert looks at it now.", h("bdi", {}, passedOverWords(passed))));
        // Somebody else may look at it already: then on with the next.
        return item ? { item, counts } : null;
    });
}

/** Looks at the event decided before the one on the screen; it cannot be decided, only its decision be taken back. */
export async function previous() {
    const place = (now.back?.place ?? sitting.length) - 1;
    if (place < 0) return trouble(sitting.length ? "This is the first event of this sitting." : "You have decided nothing since you opened this page.");
    const held = now.back?.held ?? now.item;
    trouble("");
    return lookAt(place, held);
}

async function lookAt(place, held) {
    const { item, words, relabel } = sitting[place];
    await look(item);
    now.back = { place, held };
    part("rest").replaceChildren(h("p", { class: "message", id: "looking-back" }, h("b", {}, "Looking back. "), h("bdi", {}, item.event.event_id),
        `: ${words} (#${relabel.sequence}). `, place === sitting.length - 1 ? h("button", { type: "button", onclick: undo }, h("kbd", {}, keysNow().undo), "Take it back") : null, " ",
        h("button", { type: "button", class: "primary", onclick: forward }, h("kbd", {}, keysNow().next), place === sitting.length - 1 ? "On with the event in hand" : "Forward")));
    setState("back");
}

/** From looking back towards the event that is held. */
export async function forward() {
    const { place, held } = now.back;
    if (place < sitting.length - 1) return lookAt(place + 1, held);
    return present();
}

/** Back to the event that is held. */
export async function present() {
    const { held } = now.back;
    now.back = null;
    if (state() !== "back") return undefined;
    return held ? arrive({ item: held, counts: now.counts }) : next();
}
