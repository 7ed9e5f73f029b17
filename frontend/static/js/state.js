/** What the review page knows and shows: one object, and the few ways to say something. */

export const ITEMS = "/api/v1/review-items";
export const page = document.getElementById("review");
export const part = (id) => document.getElementById(id);
export const site = Number(page.dataset.site);

/** What an expert may say beside the class; empty again for each event. */
export const nothingMore = () => ({ confidence: "", comment: "", verdict: "", box: null });

/**
 * What is on the screen. `change` is the class that waits for a reason (null: none, "" : unsure); `typed` outlives every
 * error; `more` is what is said beside the class; `span` the boundaries being moved; `back` the place of the event in
 * this sitting that is looked at again, null for the one that is held.
 */
export const now = {
    item: null, panels: [], panel: null, station: 0, map: 0, counts: null,
    change: null, typed: "", more: nothingMore(), span: null, back: null, cursor: null,
    decibels: localStorage.getItem("stft") === "decibels",
    overlay: localStorage.getItem("overlay") === "on",
    sameScale: localStorage.getItem("scale") === "same",
};

/** What this browser's expert has decided since the page was opened, newest last: { item, relabel, words }. */
export const sitting = [];

export function setState(state) {
    page.dataset.state = state;
}

export const state = () => page.dataset.state;

/** Says what went wrong; "" takes it back. What `stays` outlives the next key, until the event is left. */
export function trouble(text, { stays = false } = {}) {
    part("trouble").textContent = text;
    part("trouble").toggleAttribute("data-stays", stays && text !== "");
}

/** A new key takes back what went wrong with the last. */
export function calm() {
    if (!part("trouble").hasAttribute("data-stays")) trouble("");
}

/** Says what was done: nodes or texts. */
export function say(...content) {
    part("done").replaceChildren(...content);
}

/** Seconds that the event was on the screen of somebody who could see it. */
export const watch = {
    total: 0, since: null,
    start() {
        Object.assign(this, { total: 0, since: document.hidden ? null : performance.now() });
    },
    pause() {
        if (this.since !== null) this.total += performance.now() - this.since;
        this.since = null;
    },
    seconds() {
        const running = this.since === null ? 0 : performance.now() - this.since;
        return Number(((this.total + running) / 1000).toFixed(1));
    },
};

document.addEventListener("visibilitychange", () => {
    if (document.hidden) watch.pause();
    else if (watch.since === null) watch.since = performance.now();
});
