/** A record section: one component of every station of the site, nearest first, on one axis of time. */
import { h } from "./dom.js";
import { bandControls } from "./looks.js";
import { bandWords, corners, presetsOf, see, seeing, SIDES_S } from "./seeing.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";
import { fetchWaves, peakOf, query } from "./waves.js";

const COMPONENTS = ["Z", "N", "E"];
const LANE_PX = 46;

const place = (station) => (station.distance_km === null ? "" : `${Number(station.distance_km.toPrecision(3))} km`);

/** A lane for each station that recorded; each to its own peak, or all to the largest. */
export function stationLanes(stations, from, to, { gain, true_amplitudes: isTrue }, chosen) {
    const seen = stations.filter(({ rows }) => rows.length);
    const peaks = seen.map((station) => peakOf(station, station.rows[0], from, to));
    const largest = Math.max(...peaks, 0);
    return seen.map((station, i) => ({ kind: "wave", title: station.station, note: [place(station), `±${Number(peaks[i].toPrecision(2))}`].filter(Boolean).join(" · "),
        station, row: station.rows[0], peak: (isTrue ? largest : peaks[i]) / gain, strong: station.station === chosen }));
}

/** Every station of the item's site around its event; `station` is set off from the others. */
export class Section extends View {
    constructor(element, deps = {}) {
        super(element, deps);
        Object.assign(this, { waves: null, component: "Z", view: null });
        this.timeline = new Timeline({ label: "Record section", onDrag: (from, to) => this.zoom({ from, to }), onDouble: () => this.zoom(null),
            onWheel: (factor, time) => this.zoomAbout(factor, time) });
        this.missing = h("details", { class: "around-status", hidden: true });
        element.replaceChildren(this.bar, this.timeline.element, this.status, this.missing);
    }

    async draw() {
        this.view = null;
        this.drawBar();
        await this.fetch();
    }

    async fetch() {
        const turn = ++this.asked;
        const { side_s: side } = seeing;
        this.element.dataset.state = "loading";
        this.status.textContent = "Reading all stations …";
        const sides = { stations: "all", components: this.component, before_s: side, after_s: side };
        try {
            const waves = await fetchWaves(`/api/v1/events/${this.item.event.id}/context/${query({ ...sides, ...corners() })}`);
            if (turn !== this.asked) return;
            this.waves = waves;
            this.paint();
            this.element.dataset.state = "ready";
        } catch (error) {
            if (turn !== this.asked) return;
            this.waves = null;
            this.timeline.show({ from: 0, to: 1, lanes: [] });
            this.missing.replaceChildren();
            this.status.textContent = error.message;
            this.element.dataset.state = "failed";
        }
    }

    paint() {
        if (!this.waves) return;
        const { about, stations } = this.waves;
        const { from, to } = this.view ?? { from: Date.parse(about.starttime), to: Date.parse(about.endtime) };
        const lanes = stationLanes(stations, from, to, seeing, this.station);
        this.timeline.frame.style.height = `${Math.max(140, 40 + LANE_PX * lanes.length)}px`;
        this.timeline.canvas.setAttribute("aria-label", `Component ${this.component} of ${lanes.length} stations: ${lanes.map(({ title, note }) => `${title} ${note}`).join(", ")}`);
        this.timeline.show({ from, to, lanes, shades: [{ from: Date.parse(about.event_start), to: Date.parse(about.event_end), words: "event" }] });
        this.say(about, stations, lanes.length);
    }

    say(about, stations, count) {
        const order = about.distance_from === null ? "by name: no places are known"
            : `by distance from ${about.distance_from === "event" ? "the event" : about.distance_from}`;
        const silent = stations.filter(({ rows }) => !rows.length);
        this.status.textContent = [`${count} of ${stations.length} stations, ${order}`, bandWords(),
            seeing.true_amplitudes ? "one scale for all" : "each to its own peak", ...about.problems].join(" · ");
        this.missing.hidden = !silent.length;
        this.missing.replaceChildren(...(silent.length ? [h("summary", {}, `${silent.length} stations show nothing`),
            h("ul", {}, silent.map(({ station, problems }) => h("li", {}, problems[0] ?? station)))] : []));
    }

    zoom(view) {
        this.view = view;
        this.paint();
    }

    zoomAbout(factor, time) {
        const { from, to } = this.timeline.scene;
        const first = Date.parse(this.waves.about.starttime), last = Date.parse(this.waves.about.endtime);
        this.zoom({ from: Math.max(first, time - (time - from) * factor), to: Math.min(last, time + (to - time) * factor) });
    }

    drawBar() {
        const button = (text, isChosen, onclick) => h("button", { type: "button", "aria-pressed": String(isChosen), onclick }, text);
        this.bar.replaceChildren(
            h("div", { class: "row", role: "group", "aria-label": "Component" }, COMPONENTS.map((letter) =>
                button(letter, letter === this.component, () => this.choose(letter)))),
            h("div", { class: "row", role: "group", "aria-label": "Amplitudes" },
                button("Own peak", !seeing.true_amplitudes, () => see({ true_amplitudes: false })),
                button("True", seeing.true_amplitudes, () => see({ true_amplitudes: true }))),
            h("div", { class: "row", role: "group", "aria-label": "How far" }, SIDES_S.map((side) =>
                button(`±${side / 60} min`, side === seeing.side_s, () => see({ side_s: side })))),
            ...bandControls(presetsOf(this.item, this.deps)));
    }

    choose(letter) {
        this.component = letter;
        this.drawBar();
        this.fetch();
    }

    follow(changed) {
        this.followBar();
        if (changed.includes("side_s")) this.view = null;
        if (["side_s", "filtered", "low_hz", "high_hz"].some((name) => changed.includes(name))) this.fetch();
        else this.paint();
    }

    actions() {
        return [{ id: "section", run: () => this.hide() }];
    }
}
