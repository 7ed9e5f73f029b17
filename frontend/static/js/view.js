/** Base of what lies around an event: shown, scrolled to when it was opened, put away. */
import { h } from "./dom.js";

// The view that was opened last: one that is drawn after it does not scroll it away.
let newest = null;

export class View {
    /** `bar` and `status` are for subclasses to place. They write `draw()`, and `follow(changed)` where it matters how things are seen. */
    constructor(element, deps = {}) {
        Object.assign(this, { element, deps, item: null, station: null, asked: 0, isAway: true });
        this.bar = h("div", { class: "around-bar" });
        this.status = h("p", { class: "around-status", role: "status" });
        element.classList.add("around-view");
        document.addEventListener("seeing", ({ detail }) => this.isOpen && this.follow(detail));
    }

    get isOpen() {
        return !this.element.hidden && this.item !== null;
    }

    /** Draws what `station` (NET.STA.LOC) recorded around the item's event, and, if it was away, scrolls to it then. */
    async show(item, station = null) {
        const { isAway } = this;
        Object.assign(this, { item, station: station ?? item.event.station, isAway: false });
        this.element.hidden = false;
        if (isAway) newest = this;
        await this.draw();
        if (isAway && newest === this && this.isOpen) this.comeIntoView();
    }

    /** At once, not smoothly: nobody waits for it, and nothing moves for those whom motion makes ill. */
    comeIntoView() {
        (this.element.closest("details") ?? this.element).scrollIntoView({ block: "start", behavior: "instant" });
    }

    hide() {
        this.isAway = true;
        this.element.hidden = true;
    }

    follow() {}

    /** The controls as they are now, unless somebody types into one of them. */
    followBar() {
        if (!(this.bar.contains(document.activeElement) && document.activeElement.matches("input"))) this.drawBar();
    }
}
