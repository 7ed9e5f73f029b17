/** Listens to a record: sped up until it can be heard, with the filter that is on, a cursor where it is. */
import { h } from "./dom.js";
import { bandWords, corners, see, seeing, SPEEDS } from "./seeing.js";
import { View } from "./view.js";
import { fetchWaves, query } from "./waves.js";

const AROUND_S = 10; // before and after the event, where no view says what is seen
const FADE_S = 0.01;

/** A row's samples between two times as numbers within ±1, gaps silent: Float32Array. */
export function soundOf(station, row, from, to) {
    const rate = station.sampling_rate_hz;
    const first = Math.max(0, Math.round(((from - station.start) / 1000) * rate));
    const last = Math.min(row.values.length, Math.round(((to - station.start) / 1000) * rate));
    const part = Float32Array.from(row.values.subarray(first, Math.max(first, last)));
    const peak = part.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
    return part.map((value) => (0.9 * value) / peak);
}

/** `sound` at `from_hz`, played `speed` times as fast, as samples at `to_hz`: straight lines between samples. */
export function spedUp(sound, from_hz, speed, to_hz) {
    const step = (from_hz * speed) / to_hz;
    const length = Math.max(1, Math.floor((sound.length - 1) / step));
    return Float32Array.from({ length }, (_, i) => {
        const at = Math.floor(i * step), part = i * step - at;
        return sound[at] + part * ((sound[at + 1] ?? sound[at]) - sound[at]);
    });
}

function announce(time) {
    document.dispatchEvent(new CustomEvent("listening", { detail: time }));
}

export class Listen extends View {
    /** `deps.span()` may say what is seen: { from, to } in ms, or null. */
    constructor(element, deps = {}) {
        super(element, deps);
        this.source = null;
        element.classList.add("listen");
        element.replaceChildren(this.bar, this.status);
    }

    /** Gets ready for an event; what played stops. */
    async draw() {
        this.stop();
        this.status.textContent = "";
    }

    hide() {
        this.stop();
        super.hide();
    }

    drawBar() {
        const isOn = this.source !== null;
        this.element.dataset.state = isOn ? "playing" : "silent";
        const speeds = h("select", { "aria-label": "Speed", onchange: () => this.setSpeed(Number(speeds.value)) },
            SPEEDS.map((speed) => h("option", { value: String(speed), selected: speed === seeing.speed }, `${speed}×`)));
        this.bar.replaceChildren(h("div", { class: "row", role: "group", "aria-label": "Listen" },
            h("button", { type: "button", "aria-pressed": String(isOn), onclick: () => this.toggle() }, h("kbd", {}, "Space"), isOn ? "Stop" : "Listen"),
            speeds, h("kbd", {}, "Shift+Space"),
            h("button", { type: "button", class: "quiet", onclick: () => this.hide() }, "Close")));
    }

    /** What is seen, or some seconds around the event. */
    span() {
        const seen = this.deps.span?.() ?? onScreen();
        if (seen) return seen;
        const { starttime, endtime } = this.item.event;
        return { from: Date.parse(starttime) - 1000 * AROUND_S, to: Date.parse(endtime) + 1000 * AROUND_S };
    }

    async toggle() {
        if (this.source) return this.stop();
        try {
            await this.play();
        } catch (error) {
            this.stop();
            this.status.textContent = error.message;
        }
        return undefined;
    }

    async play() {
        const { from, to } = this.span();
        const span = { starttime: new Date(from).toISOString(), endtime: new Date(to).toISOString() };
        const address = `/api/v1/sites/${this.item.site.id}/record/`;
        const { stations: [station] } = await fetchWaves(address + query({ station: this.station, ...span, ...corners(), components: this.deps.component ?? "Z" }));
        const row = station.rows[0];
        this.audio ??= new AudioContext();
        await this.audio.resume();
        const begin = Math.max(from, station.start);
        const samples = spedUp(soundOf(station, row, from, to), station.sampling_rate_hz, seeing.speed, this.audio.sampleRate);
        this.start(samples, begin);
        this.status.textContent = `${station.station} ${row.letter}, ${bandWords()}: ${Math.round((Math.min(to, station.end) - begin) / 1000)} s in ${(samples.length / this.audio.sampleRate).toFixed(1)} s`
            + (station.thinned > 1 ? `; nothing above ${station.sampling_rate_hz / 2} Hz, for the span is long` : "");
    }

    start(samples, begin) {
        const { audio } = this;
        const buffer = audio.createBuffer(1, samples.length, audio.sampleRate);
        buffer.copyToChannel(samples, 0);
        const source = audio.createBufferSource(), volume = audio.createGain();
        source.buffer = buffer;
        source.connect(volume).connect(audio.destination);
        const now = audio.currentTime;
        volume.gain.setValueAtTime(0, now);
        volume.gain.linearRampToValueAtTime(1, now + FADE_S);
        source.onended = () => { if (this.source === source) this.stop(); };
        source.start();
        this.source = source;
        this.drawBar();
        const { speed } = seeing;
        const move = () => {
            if (this.source !== source) return;
            announce(begin + 1000 * speed * (audio.currentTime - now));
            requestAnimationFrame(move);
        };
        move();
    }

    stop() {
        const { source } = this;
        this.source = null;
        if (source) source.stop();
        announce(null);
        if (this.item) this.drawBar();
    }

    /** Another speed; what plays begins again. */
    async setSpeed(speed) {
        const wasOn = this.source !== null;
        if (wasOn) this.stop();
        see({ speed });
        this.drawBar();
        if (wasOn) await this.toggle();
    }

    actions() {
        return [
            { id: "listen", run: () => this.toggle() },
            { id: "speed", run: () => this.setSpeed(SPEEDS[(SPEEDS.indexOf(seeing.speed) + 1) % SPEEDS.length]) },
        ];
    }
}

/** What the view of the surroundings shows, where it is open. */
function onScreen() {
    const { from, to } = document.querySelector(".around-view:not([hidden]) .timeline[data-from]")?.dataset ?? {};
    return from ? { from: Number(from), to: Number(to) } : null;
}
