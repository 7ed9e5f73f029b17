/** The five labelled events that the model takes for most alike to this one. */
import { get } from "./api.js";
import { chip, h, utc } from "./dom.js";
import { corners } from "./seeing.js";
import { colours } from "./timeline.js";
import { View } from "./view.js";
import { fetchWaves, query } from "./waves.js";

const percent = (share) => `${Math.round(100 * share)} %`;
const SIDES = { before_s: 5, after_s: 5, components: "Z" };

export class Similar extends View {
    constructor(element, deps = {}) {
        super(element, deps);
        addEventListener("themechange", () => this.isOpen && this.thumbnails());
    }

    follow(changed) {
        if (["filtered", "low_hz", "high_hz"].some((name) => changed.includes(name))) this.thumbnails();
    }

    async draw() {
        const turn = ++this.asked, { item } = this;
        if (item.blind) return this.wait();
        this.element.dataset.state = "loading";
        this.element.replaceChildren(h("p", { role: "status", class: "around-status" }, "Looking for similar events …"));
        const found = await get(`/api/v1/events/${item.event.id}/neighbours/`).catch((error) => ({ error }));
        if (turn !== this.asked) return;
        this.element.replaceChildren(...this.drawn(found));
        this.element.dataset.state = "ready";
        return this.thumbnails();
    }

    /** Likeness is the machine's opinion: it comes after the expert's own. */
    wait() {
        this.element.dataset.state = "ready";
        this.element.replaceChildren(h("p", { role: "status", class: "around-status" }, "Similar events are shown once you have decided: they are the machine’s opinion."));
    }

    drawn({ error, model, neighbours = [] }) {
        const say = (text) => [h("p", { role: "status", class: "around-status" }, text)];
        if (error) return say(error.message);
        if (!model) return say("No model has looked at this event yet.");
        if (!neighbours.length) return say(`Model ${model.number} has no similar events for this one yet: the next classification of the site finds them.`);
        const classes = Object.fromEntries(this.item.classes.map((one) => [one.code, one]));
        return [h("h3", { class: "around-title" }, `Most similar, in the eyes of model ${model.number}`),
            h("ol", { class: "similar-events" }, neighbours.map((event) => row(event, classes)))];
    }

    /** A small waveform of each, with the filter that is on. */
    async thumbnails() {
        const canvases = [...this.element.querySelectorAll("canvas[data-event]")];
        await Promise.all(canvases.map(async (canvas) => {
            const address = `/api/v1/events/${canvas.dataset.event}/context/${query({ ...SIDES, stations: canvas.dataset.station, ...corners() })}`;
            const waves = await fetchWaves(address).catch(() => null);
            if (waves?.stations[0]?.rows.length) paint(canvas, waves.stations[0]);
        }));
    }

    actions() {
        return [{ id: "similar", run: () => this.hide() }];
    }
}

function row(event, classes) {
    const label = classes[event.label] ?? { name: event.label, colour: "#777777" };
    return h("li", {},
        h("a", { href: `/events/${event.id}/`, target: "_blank", title: "Opens in another tab" }, h("bdi", {}, event.event_id)),
        chip(label), h("span", { class: "number", title: "Cosine of the angle between the two events’ features" }, percent(event.similarity)),
        h("span", { class: "muted" }, h("span", { class: "seed" }, event.station ?? ""), " ", utc(event.starttime)),
        h("canvas", { width: "180", height: "36", "data-event": String(event.id), "data-station": event.station ?? "", "aria-hidden": "true" }));
}

/** All of a row's samples, largest and smallest of each pixel. */
function paint(canvas, { rows: [{ values, mask }] }) {
    const pen = canvas.getContext("2d");
    const { width, height } = canvas;
    const peak = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = colours().text;
    pen.beginPath();
    for (let x = 0; x < width; x++) {
        const part = values.subarray(Math.floor((x * values.length) / width), Math.ceil(((x + 1) * values.length) / width));
        if (!part.length || !mask[Math.floor((x * values.length) / width)]) continue;
        const y = (value) => height / 2 - (value / peak) * (height / 2 - 1);
        pen.moveTo(x + 0.5, y(Math.max(...part)) - 0.5);
        pen.lineTo(x + 0.5, y(Math.min(...part)) + 0.5);
    }
    pen.stroke();
}
