/** What goes with a decision beside the class, and boundaries that are moved: kept until the decision is sent. */
import { post } from "./api.js";
import { commentBox, CONFIDENCES, following, VERDICTS } from "./decision.js";
import { h } from "./dom.js";
import { redraw, redrawMore } from "./flow.js";
import { boxOfZoom, spanBody, spanWith } from "./looking.js";
import { drawBox, refresh } from "./over.js";
import { now, part, say, setState, state, trouble } from "./state.js";

let stopDrawing = () => {};

function set(change) {
    Object.assign(now.more, change);
    redrawMore();
    refresh();
}

export const turnConfidence = () => set({ confidence: following(CONFIDENCES, now.more.confidence) });

export function turnVerdict() {
    if (!now.item.prediction) return trouble("There is no machine’s reason to judge: no prediction is shown.");
    return set({ verdict: following(VERDICTS, now.more.verdict) });
}

/* ---- comment ---- */

export function openComment() {
    setState("comment");
    part("reason-box").hidden = false;
    part("reason-box").replaceChildren(...commentBox(now.more.comment, { onCancel: closeMore }));
    part("comment").focus();
}

export function submitComment() {
    const comment = part("comment").value.trim();
    closeMore();
    set({ comment });
}

export function closeMore() {
    part("reason-box").hidden = true;
    part("reason-box").replaceChildren();
    setState("ready");
    part("event-name").focus({ preventScroll: true });
}

/* ---- a box round what misleads ---- */

/** First press: draw with the pointer. Second: the part that is zoomed into. With a box there already: takes it away. */
export function drawBoxOn() {
    if (!now.panel?.maps.length) return trouble("There is no map to draw on.");
    if (state() === "box") {
        set({ box: boxOfZoom() });
        return leaveBox();
    }
    if (now.more.box) return set({ box: null });
    setState("box");
    say("Draw a box round what misleads, on STFT or relevance. Pressed again, the key takes the part you have zoomed into; Escape leaves it.");
    stopDrawing = drawBox((box) => { set({ box }); leaveBox(); });
    return undefined;
}

export function leaveBox() {
    stopDrawing();
    say("");
    setState("ready");
}

/* ---- boundaries ---- */

export function setSpan(end) {
    const made = spanWith(end, { panel: now.panel, cursor: now.cursor, span: now.span, event: now.item.event });
    if (made.trouble) return trouble(made.trouble);
    trouble("");
    now.span = made.span;
    const { start, end: last } = made.span;
    say(`The event from ${start.toFixed(2)} s to ${last.toFixed(2)} s: Enter saves these boundaries, Escape leaves them as they were.`);
    return refresh();
}

export function cancelSpan() {
    now.span = null;
    say("");
    refresh();
}

export async function saveSpan() {
    const { item, span, panel } = now;
    setState("busy");
    try {
        const { starttime, endtime } = spanBody(span, panel, item.event);
        const moved = await post(`/api/v1/events/${item.event.id}/boundaries/`, { starttime, endtime, reason: "boundaries moved" });
        const event = moved.event ?? moved;
        Object.assign(item.event, { starttime: event.starttime, endtime: event.endtime, duration_s: event.duration_s });
        Object.assign(panel.about, { event_start: event.starttime, event_end: event.endtime });
        now.span = null;
        say("Boundaries of ", h("bdi", {}, item.event.event_id), " moved", moved.run ? "; the model looks at it again. " : ". ", "Now decide.");
        trouble("");
    } catch (error) {
        trouble(error.message);
    }
    setState("ready");
    await redraw();
    document.dispatchEvent(new CustomEvent("seeing", { detail: [] }));
}
