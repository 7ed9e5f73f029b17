/** What is known of the point that is looked at: which event or window it is, and what its station recorded. */
import { get } from "./api.js";
import { chip, h, utc } from "./dom.js";
import { bandWords, corners, seeing } from "./seeing.js";
import { componentLanes } from "./surroundings.js";
import { Timeline } from "./timeline.js";
import { fetchImage, fetchWaves, query } from "./waves.js";

// Who sweeps over points asks for none of them.
const REST_MS = 120;
const LONGEST_MS = 3.5e6;
const iso = (time) => new Date(time).toISOString();

/** A group as a chip: greys have no colour of their own. */
export function groupChip({ name, colour }) {
    return colour.startsWith("#") ? chip({ name, colour }) : h("span", { class: "muted" }, name);
}

export class Card {
    /** `site`: its id; `map`: { id, window_s, stations }; `onChoose(row)` chooses the point, or lets it go. */
    constructor(element, { site, map, onChoose }) {
        Object.assign(this, { element, site, map, onChoose, row: -1, waiting: 0, question: null });
        this.head = h("div", { class: "map-facts" }, h("p", { class: "muted small" }, "What you point at is shown here with its waveform. ",
            h("kbd", {}, "P"), " and the arrow keys go from point to point; ", h("kbd", {}, "F"), " filters, ", h("kbd", {}, "Shift+F"), " takes the next band."));
        this.timeline = new Timeline({ label: "Waveform of the point" });
        this.status = h("p", { class: "around-status", id: "card-status" });
        element.append(this.head, this.timeline.element, this.status);
        document.addEventListener("seeing", () => this.row >= 0 && this.ask());
    }

    /** Shows a point: what the map knows at once, the rest when the pointer has rested on it. `facts` as `factsOf` gives them. */
    show(row, facts) {
        if (row === this.row) return;
        Object.assign(this, { row, facts, event: null });
        this.drawHead();
        clearTimeout(this.waiting);
        this.question?.abort();
        this.element.dataset.state = "waiting";
        this.waiting = setTimeout(() => this.ask(), REST_MS);
    }

    /** Draws the words anew: the choice, or the catalogue, has changed. */
    renew(facts) {
        if (this.row < 0) return;
        this.facts = facts;
        this.drawHead();
    }

    async ask() {
        clearTimeout(this.waiting);
        this.question?.abort();
        this.question = new AbortController();
        const { signal } = this.question;
        this.element.dataset.state = "loading";
        try {
            const span = await this.span(signal);
            const asked = this.asked(span);
            const waves = await fetchWaves(`/api/v1/sites/${this.site}/record/${query({ ...asked, ...corners() })}`, { signal });
            if (!signal.aborted) this.draw(span, waves);
            const { window_s, overlap, max_hz } = seeing;
            const image = { ...asked, component: waves.stations[0].components[0], window_s, overlap, max_hz };
            const power = await fetchImage(`/api/v1/sites/${this.site}/record-spectrogram/${query(image)}`, { signal });
            if (!signal.aborted) this.draw(span, waves, power);
        } catch (error) {
            if (error.name !== "AbortError" && !signal.aborted) this.fail(error.message);
        }
    }

    /** When the point begins and ends, in ms; of an event also which one it is. */
    async span(signal) {
        const { start, isWindow } = this.facts;
        if (isWindow) return { from: start, to: start + 1000 * this.map.window_s, station: this.facts.station };
        const found = await get(`/api/v1/maps/${this.map.id}/points/${this.row}/`, { signal });
        this.event = found.event;
        this.drawHead();
        return { from: Date.parse(found.starttime), to: Date.parse(found.endtime), station: found.station ?? this.facts.station };
    }

    /** The span with something of what lies before and after it. */
    asked({ from, to, station }) {
        if (!station) throw new Error("Its station is not known: no waveform.");
        const side = Math.max(1000, (to - from) / 2);
        return { station, starttime: iso(from - side), endtime: iso(Math.min(to + side, from - side + LONGEST_MS)) };
    }

    draw({ from, to }, { about, stations: [station] }, image = null) {
        const [first, last] = [Date.parse(about.starttime), Date.parse(about.endtime)];
        const lanes = componentLanes(station, first, last, seeing.gain);
        if (image) lanes.push({ kind: "image", title: image.about.component, note: "power", image, range_db: seeing.range_db });
        const words = this.facts.isWindow ? "window" : "event";
        this.timeline.canvas.setAttribute("aria-label", `${station.station} from ${iso(first)} to ${iso(last)}: ${lanes.map(({ title, note }) => `${title} ${note}`).join(", ")}`);
        this.timeline.show({ from: first, to: last, lanes, shades: [{ from, to, words }] });
        this.status.textContent = [`${station.station}, ${((to - from) / 1000).toFixed(1)} s, ${bandWords()}`, ...station.problems].join(" · ");
        if (image) this.element.dataset.state = "ready";
    }

    fail(text) {
        this.timeline.show({ from: 0, to: 1, lanes: [] });
        this.status.textContent = text;
        this.element.dataset.state = "failed";
    }

    drawHead() {
        const { isWindow, isChosen, station, start, groups, group } = this.facts;
        const name = isWindow ? h("strong", {}, "Unlabelled window") : h("strong", {}, "Event ", this.event
            ? h("a", { href: `/events/${this.event.id}/`, id: "open-event" }, h("bdi", {}, this.event.event_id))
            : h("a", { href: `/events/${this.facts.event}/` }, String(this.facts.event)));
        const record = station && h("a", { href: `/sites/${this.site}/record/${query({ station, at: iso(start), length_s: 60 })}` }, "In the record");
        this.head.replaceChildren(
            h("p", { class: "row" }, name, h("button", { type: "button", class: "small", id: "choose", "aria-pressed": String(isChosen),
                onclick: () => this.onChoose(this.row) }, isChosen ? "Chosen" : "Choose", h("kbd", {}, "Enter"))),
            h("p", { class: "row small" }, groups.map(({ what, ...one }) => h("span", {}, what && h("span", { class: "muted" }, `${what} `), groupChip(one)))),
            h("p", { class: "row small muted" }, utc(iso(start)), " ", record));
        this.element.dataset.row = String(this.row);
        this.element.style.setProperty("--class", group.colour.startsWith("#") ? group.colour : "var(--muted)");
    }
}
