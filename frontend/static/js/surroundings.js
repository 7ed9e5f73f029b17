/** Before and after an event, or any time of a station's record: waveforms and spectrogram on one axis, filtered or as recorded. */
import { h } from "./dom.js";
import { bandControls, imageControls } from "./looks.js";
import { bandWords, corners, GAINS, neighbour, nextImage, nextPreset, presetsOf, see, seeing, SIDES_S } from "./seeing.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";
import { fetchImage, fetchWaves, peakOf, query } from "./waves.js";

const AFTER_ZOOM_MS = 120;
const LEAST_SPAN_MS = 200;
// Seen beyond what was recorded.
const EDGE_MS = 3000;
const minutes = (seconds) => `±${seconds / 60} min`;

/** Lanes of a station's components; one amplitude for all, so that components compare. */
export function componentLanes(station, from, to, gain) {
    const peak = Math.max(...station.rows.map((row) => peakOf(station, row, from, to)), 0);
    return station.rows.map((row) => ({ kind: "wave", title: row.letter, station, row, peak: peak / gain,
        note: peak ? `±${Number((peak / gain).toPrecision(2))}` : "silent" }));
}

/**
 * The span that is drawn where nobody zoomed: all that was asked for, or, where a fifth of it or more was not recorded at
 * its ends, the event and what was recorded. In ms.
 */
export function wholeOf({ about, stations: [{ rows, start, sampling_rate_hz: rate }] }) {
    const [from, to] = [Date.parse(about.starttime), Date.parse(about.endtime)];
    const first = Math.min(...rows.map(({ mask }) => mask.indexOf(1)).filter((i) => i >= 0));
    const last = Math.max(...rows.map(({ mask }) => mask.lastIndexOf(1)));
    if (!Number.isFinite(first)) return { from, to };
    const begin = Math.max(from, Math.min(start + (1000 * first) / rate, Date.parse(about.event_start)) - EDGE_MS);
    const end = Math.min(to, Math.max(start + (1000 * last) / rate, Date.parse(about.event_end)) + EDGE_MS);
    return to - from - (end - begin) >= (to - from) / 5 ? { from: begin, to: end } : { from, to };
}

export class Surroundings extends View {
    constructor(element, deps = {}) {
        super(element, deps);
        Object.assign(this, { waves: null, image: null, view: null, detail: null });
        this.timeline = new Timeline({ label: "Waveforms before and after the event", onDrag: (from, to) => this.zoom(from, to),
            onWheel: (factor, time) => this.zoomAbout(factor, time), onDouble: () => this.zoom(null) });
        element.replaceChildren(this.bar, this.timeline.element, this.status);
    }

    async draw() {
        this.view = this.detail = null;
        this.drawBar();
        await this.fetch();
    }

    /** What is on the screen, for whoever wants to hear it: { from, to } in ms. */
    get span() {
        return this.isOpen && this.timeline.scene ? { from: this.timeline.scene.from, to: this.timeline.scene.to } : null;
    }

    address(kind, more) {
        const { side_s: side } = seeing;
        return `/api/v1/events/${this.item.event.id}/${kind}/${query({ before_s: side, after_s: side, ...more })}`;
    }

    async fetch() {
        const turn = ++this.asked;
        this.element.dataset.state = "loading";
        this.status.textContent = `Reading ${this.station ?? "the record"} …`;
        try {
            const waves = await fetchWaves(this.address("context", { stations: this.station, ...corners() }));
            if (turn !== this.asked) return;
            this.waves = waves;
            this.image = null;
            this.paint();
            await this.fetchImage(turn);
        } catch (error) {
            if (turn === this.asked) this.fail(error);
        }
    }

    /** The spectrogram is of the record as it is, whatever the filter: it shows what the filter hides. */
    async fetchImage(turn) {
        const component = this.waves.stations[0].components[0];
        const { window_s, overlap, max_hz } = seeing;
        const image = await fetchImage(this.address("spectrogram", { station: this.station, component, window_s, overlap, max_hz }))
            .catch((error) => { this.trouble = error.message; return null; });
        if (turn !== this.asked) return;
        this.image = image;
        this.paint();
        this.element.dataset.state = "ready";
    }

    fail(error) {
        this.waves = null;
        this.timeline.show({ from: 0, to: 1, lanes: [] });
        this.status.textContent = error.message;
        this.element.dataset.state = "failed";
    }

    paint() {
        if (!this.waves) return;
        const { about, stations: [whole] } = this.waves;
        const { from, to } = this.view ?? wholeOf(this.waves);
        const station = this.detail?.from <= from && this.detail?.to >= to ? this.detail.station : whole;
        const lanes = componentLanes(station, from, to, seeing.gain);
        if (this.image) lanes.push({ kind: "image", title: this.image.about.component, note: "power", image: this.image, range_db: seeing.range_db });
        this.timeline.canvas.setAttribute("aria-label", this.inWords(whole, from, to));
        this.timeline.show({ from, to, lanes, shades: this.shades(about) });
        this.say(whole);
    }

    /** The event, and the part of it that the network was given, where the page knows that. */
    shades({ event_start: start, event_end: end }) {
        const seen = this.deps.seen?.();
        const { starttime = start, endtime = end } = this.item.event; // moved since the waveforms were read, maybe
        const event = { from: Date.parse(starttime), to: Date.parse(endtime), words: "event" };
        return seen ? [event, { ...seen, words: "what the network saw", isLine: true }] : [event];
    }

    inWords(station, from, to) {
        const peaks = station.rows.map((row) => `${row.letter} up to ${Number(peakOf(station, row, from, to).toPrecision(3))} counts`);
        return `${station.station} from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}, ${bandWords()}: ${peaks.join(", ")}`;
    }

    say(station) {
        const thinned = station.thinned > 1 ? `drawn from every sample; zoom in to see ${station.recorded_hz} Hz` : `${station.recorded_hz} Hz`;
        const power = this.image ? `spectrogram of the unfiltered record: ${Math.round(this.image.about.peak_db)} dB of counts²/Hz at most, ${seeing.range_db} dB deep` : "";
        const { from, to } = wholeOf(this.waves);
        const isCut = from > Date.parse(this.waves.about.starttime) || to < Date.parse(this.waves.about.endtime);
        const parts = [`${station.station}, ${bandWords()}, ${thinned}`, isCut ? "nothing was recorded beyond what is drawn" : "", power, this.trouble, ...station.problems, ...this.waves.about.problems];
        this.status.textContent = parts.filter(Boolean).join(" · ");
        this.trouble = "";
    }

    /* ---- zooming ---- */

    zoom(from, to) {
        if (!this.waves) return;
        const first = Date.parse(this.waves.about.starttime), last = Date.parse(this.waves.about.endtime);
        const isWhole = from === null || (from <= first && to >= last);
        this.view = isWhole ? null : { from: Math.max(first, from), to: Math.min(last, Math.max(to, from + LEAST_SPAN_MS)) };
        this.paint();
        clearTimeout(this.waiting);
        if (this.view && this.waves.stations[0].thinned > 1) this.waiting = setTimeout(() => this.fetchDetail(), AFTER_ZOOM_MS);
    }

    zoomAbout(factor, time) {
        const { from, to } = this.timeline.scene;
        this.zoom(time - (time - from) * factor, time + (to - time) * factor);
    }

    /** The part in view once more, with every sample. */
    async fetchDetail() {
        const { from, to } = this.view;
        const span = { starttime: new Date(from).toISOString(), endtime: new Date(to).toISOString() };
        const url = `/api/v1/sites/${this.item.site.id}/record/${query({ station: this.waves.stations[0].station, ...span, ...corners() })}`;
        const waves = await fetchWaves(url).catch(() => null);
        if (!waves || this.view?.from !== from || this.view?.to !== to) return;
        this.detail = { from, to, station: waves.stations[0] };
        this.paint();
    }

    /* ---- controls ---- */

    drawBar() {
        const sides = SIDES_S.map((side) => h("button", { type: "button", "aria-pressed": String(side === seeing.side_s),
            onclick: () => see({ side_s: side }) }, minutes(side)));
        this.bar.replaceChildren(
            h("div", { class: "row", role: "group", "aria-label": "How far" }, sides, h("kbd", {}, "W")),
            ...bandControls(presetsOf(this.item, this.deps)),
            imageControls());
    }

    /** Somebody changed how things are seen: here, in another view, or by a key. */
    follow(changed) {
        this.followBar();
        const has = (...names) => names.some((name) => changed.includes(name));
        if (has("side_s")) this.view = null;
        if (has("side_s", "filtered", "low_hz", "high_hz")) {
            this.detail = null;
            this.fetch().then(() => this.view && this.waves && this.fetchDetail());
        } else if (has("window_s", "overlap", "max_hz") && this.waves) {
            this.fetchImage(++this.asked);
        } else this.paint();
    }

    widen(step) {
        const at = SIDES_S.indexOf(seeing.side_s) + step;
        if (at >= 0 && at < SIDES_S.length) return see({ side_s: SIDES_S[at] });
        this.hide();
        return see({ side_s: SIDES_S[0] });
    }

    actions() {
        return [
            { id: "wider", run: () => this.widen(1) },
            { id: "narrower", run: () => this.widen(-1) },
            { id: "filter", run: () => see({ filtered: !seeing.filtered }) },
            { id: "filter-next", run: () => nextPreset(presetsOf(this.item, this.deps)) },
            { id: "gain-up", run: () => see({ gain: neighbour(GAINS, seeing.gain, 1) }) },
            { id: "gain-down", run: () => see({ gain: neighbour(GAINS, seeing.gain, -1) }) },
            { id: "spectrogram", run: nextImage },
        ];
    }
}
