/** What an expert decides: a class, “unsure”, later; with a reason where the label changes. */
import { post } from "./api.js";
import { postponeBox, postponements, reasonBox, toggleReason } from "./decision.js";
import { h } from "./dom.js";
import { asking } from "./filter.js";
import { arrive, filter, leaving, next } from "./flow.js";
import { className } from "./header.js";
import { bothViews } from "./opinions.js";
import { ITEMS, now, part, say, setState, sitting, state, trouble, watch } from "./state.js";

/** Common reasons where the API names none. */
const REASONS = [{ key: "w", text: "waveform shape" }, { key: "f", text: "frequency content" }, { key: "d", text: "duration" }];

export const reasons = () => now.item?.policy?.reasons ?? REASONS;

/** The body of a decision: what was said, and what was on the screen. Nothing is sent that was not said. */
export function decisionBody(item, { code, reason = "", more, seconds, blind = false }) {
    const { comment, confidence, verdict, box } = more;
    const said = Object.entries({ reason, comment, confidence, verdict, box }).filter(([, value]) => value);
    return {
        event_class: code, ...(code === null ? { unsure: true } : {}), ...Object.fromEntries(said), seconds, ...(blind ? { blind: true } : {}),
        prediction: blind ? null : item.prediction?.id ?? null,
        panels: Object.fromEntries(item.panels.map((panel) => [panel.station, panel.sha256])),
    };
}

/** A decision in words: “Quake confirmed”, “Quake → Rockfall recorded”. */
export function decisionWords(item, { kind, from_class: from, to_class: to }) {
    if (kind === "blind") return `${to ? className(item, to) : "unsure"}: kept. Now see what the machine says, and decide again`;
    if (!to || kind === "unsure") return "unsure: the label stays, and another expert is asked";
    if (kind === "opinion") return `${className(item, to)}: your opinion is recorded`;
    if (from === to) return `${className(item, to)} confirmed`;
    return `${className(item, from)} → ${className(item, to)} recorded`;
}

/** Whether a class needs a reason: it changes a label, and the machine’s opinion has been seen. */
function needsReason(item, code) {
    return !item.blind && item.event.label !== null && code !== item.event.label;
}

export function choose(code) {
    if (!needsReason(now.item, code)) return decide(code, "");
    now.change = code;
    setState("reason");
    drawReasonBox();
    // Not into the field: the reasons have keys of their own.
    document.activeElement?.blur();
    return undefined;
}

/** Enter: what the expert said before they saw the machine's opinion, else the label. */
export function confirm() {
    const { mine, blind, event } = now.item;
    if (mine && !blind) return mine.to_class === null ? decide(null, "") : choose(mine.to_class);
    if (event.label === null) return trouble("This event has no label that could be confirmed. Give it one with a class key.");
    return decide(event.label, "");
}

export const unsure = () => decide(null, now.typed.trim());

export function drawReasonBox() {
    const box = part("reason-box");
    box.hidden = now.change === null;
    box.replaceChildren(...(box.hidden ? [] : reasonBox(now.item, now.change, { typed: now.typed, reasons: reasons() },
        { onReason: pickReason, onCancel: closeBox })));
}

export function pickReason(text) {
    now.typed = toggleReason(now.typed, text);
    drawReasonBox();
}

/** Closes the box at the foot, whatever it asks. */
export function closeBox() {
    Object.assign(now, { change: null, typed: "" });
    part("reason-box").hidden = true;
    part("reason-box").replaceChildren();
    setState("ready");
}

export function submitChange() {
    if (now.change !== null) decide(now.change, now.typed.trim());
}

async function decide(code, reason) {
    const { item, more } = now;
    const body = decisionBody(item, { code, reason, more, seconds: watch.seconds(), blind: item.blind === true });
    await leaving(async () => {
        const answer = await post(`${ITEMS}/${item.id}/decide/`, item.blind ? body : asking({ ...body, next: true }, filter));
        remember(item, answer.relabel);
        return answer.item ? { item: answer.item, counts: answer.counts } : answer.next;
    }, (error) => (error.body?.theirs ? showConflict(item, error, { code, reason, more }) : trouble(error.message)));
    if (state() === "ready" && now.item.mine && !now.item.blind) part("confirm").focus({ preventScroll: true });
}

function remember(item, relabel) {
    const words = decisionWords(item, relabel);
    sitting.push({ item, relabel, words });
    say(h("span", { "data-decision": relabel.sequence }, h("bdi", {}, item.event.event_id), `: ${words}, `,
        h("a", { href: `/events/${item.event.id}/#relabel-${relabel.sequence}` }, `#${relabel.sequence}`)));
}

/* ---- somebody else was first ---- */

function showConflict(item, error, { code, reason, more }) {
    closeBox();
    const mine = { expert: page().dataset.user, to_class: code, reason, details: more };
    part("opinions").hidden = false;
    part("opinions").replaceChildren(...bothViews(item, { theirs: error.body.theirs, mine, words: error.message },
        { onNext: takeNext, onAsk: askAgain }));
    setState("conflict");
    part("opinions").querySelector("button").focus();
}

const page = () => part("review");

export function takeNext() {
    trouble("");
    return next();
}

/** Puts the event into the queue once more, leased to this expert, with what was decided meanwhile in its history. */
export async function askAgain() {
    const { event } = now.item;
    try {
        const item = await post(`/api/v1/events/${event.id}/review/`);
        await arrive({ item });
    } catch (error) {
        trouble(error.message);
    }
}

/* ---- later ---- */

export const choices = () => postponements(now.item?.policy?.postpone_s);

export function openPostpone() {
    setState("postpone");
    part("reason-box").hidden = false;
    part("reason-box").replaceChildren(...postponeBox(choices(), { onChoice: postpone, onCancel: closeBox }));
    document.activeElement?.blur();
}

export function postpone({ seconds, text }) {
    const { item } = now;
    part("reason-box").hidden = true;
    return leaving(async () => {
        await post(`${ITEMS}/${item.id}/skip/`, seconds === null ? {} : { postpone_s: seconds });
        say("Put off ", h("a", { href: `/events/${item.event.id}/` }, h("bdi", {}, item.event.event_id)), `: it comes again in ${text}.`);
        return null;
    });
}

