/** Draws lanes of waveforms and spectrograms over one axis of time (ms since 1970), on a canvas: an hour as fast as a minute. */
import { h } from "./dom.js";
import { indices, NOT_RECORDED, valueAt } from "./waves.js";

const LEFT = 74, RIGHT = 10, TOP = 18, BOTTOM = 22, GAP = 4;
const TICKS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 73, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [110, 206, 88],
    [181, 222, 43], [253, 231, 37]];

/** 2026-03-01T06:00:00.123Z → 06:00:00.123, as fine as a step of `step_s` needs. */
export function clock(time, step_s = 1) {
    const text = new Date(time).toISOString().slice(11, 23);
    return step_s >= 1 ? text.slice(0, 8) : text.slice(0, 10 + (step_s < 0.1 ? 1 : 0) + (step_s < 0.01 ? 1 : 0));
}

/** Colours of the page as it looks now. */
export function colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["text", "muted", "line", "surface", "sunken", "accent", "warn"];
    return Object.fromEntries([...names, "font"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/**
 * A scene: { from, to, lanes, shades: [{ from, to, colour, words, isLine }], selection: { from, to } | null }. A lane is
 * { kind: "wave", title, note, station, row, peak, strong } or { kind: "image", title, note, image, range_db }.
 */
export class Timeline {
    /** `onDrag(from, to)` hears what was dragged over, `onWheel(factor, time)` turns of the wheel, `onDouble()` a double click. */
    constructor({ label, onDrag = null, onWheel = null, onDouble = null, onCursor = null }) {
        Object.assign(this, { scene: null, onDrag, onWheel, onDouble, onCursor, pressed: null, images: new WeakMap() });
        this.canvas = h("canvas", { role: "img", "aria-label": label });
        this.line = h("div", { class: "timeline-cursor", hidden: true });
        this.sound = h("div", { class: "timeline-cursor sounding", hidden: true });
        this.drag = h("div", { class: "timeline-drag", hidden: true });
        this.readout = h("p", { class: "timeline-readout" });
        this.frame = h("div", { class: "timeline-frame" }, this.canvas, this.drag, this.line, this.sound);
        this.element = h("div", { class: "timeline" }, this.frame, this.readout);
        new ResizeObserver(() => this.paint()).observe(this.frame);
        addEventListener("themechange", () => this.paint());
        document.addEventListener("listening", ({ detail }) => this.place(this.sound, detail));
        this.listen();
    }

    listen() {
        this.canvas.addEventListener("pointermove", (event) => this.point(event));
        this.canvas.addEventListener("pointerleave", () => { if (!this.pressed) this.setCursor(null); });
        this.canvas.addEventListener("pointerdown", (event) => {
            if (event.button !== 0 || !this.scene || !this.onDrag) return;
            this.pressed = this.timeAt(event);
            this.canvas.setPointerCapture(event.pointerId);
        });
        this.canvas.addEventListener("pointerup", (event) => this.release(event));
        this.canvas.addEventListener("dblclick", () => this.onDouble?.());
        this.canvas.addEventListener("wheel", (event) => {
            if (!this.scene || !this.onWheel) return;
            event.preventDefault();
            this.onWheel(event.deltaY > 0 ? 1.25 : 0.8, this.timeAt(event));
        }, { passive: false });
    }

    point(event) {
        if (!this.scene) return;
        const time = this.timeAt(event);
        this.setCursor(time);
        if (this.pressed !== null) this.placeDrag(Math.min(time, this.pressed), Math.max(time, this.pressed));
    }

    release(event) {
        if (this.pressed === null) return;
        const [from, to] = [this.pressed, this.timeAt(event)].sort((a, b) => a - b);
        const isDrag = Math.abs(this.x(to) - this.x(from)) > 4;
        this.pressed = null;
        this.drag.hidden = true;
        if (isDrag) this.onDrag(from, to);
    }

    timeAt(event) {
        const { left, width } = this.canvas.getBoundingClientRect();
        const share = (event.clientX - left - LEFT) / (width - LEFT - RIGHT);
        return this.scene.from + Math.min(1, Math.max(0, share)) * (this.scene.to - this.scene.from);
    }

    x(time) {
        return LEFT + ((time - this.scene.from) / (this.scene.to - this.scene.from)) * (this.canvas.clientWidth - LEFT - RIGHT);
    }

    place(line, time) {
        const inside = this.scene && time !== null && time >= this.scene.from && time <= this.scene.to;
        line.hidden = !inside;
        if (inside) line.style.transform = `translateX(${this.x(time)}px)`;
    }

    placeDrag(from, to) {
        this.drag.hidden = false;
        this.drag.style.transform = `translateX(${this.x(from)}px)`;
        this.drag.style.width = `${this.x(to) - this.x(from)}px`;
    }

    /** Puts the cursor at a time, and says what is there. */
    setCursor(time) {
        this.cursor = time;
        this.place(this.line, time);
        this.readout.textContent = time === null || !this.scene ? "" : this.words(time);
        this.onCursor?.(time);
    }

    words(time) {
        const values = this.scene.lanes.filter(({ kind }) => kind === "wave").slice(0, 4).map(({ title, station, row }) => {
            const value = valueAt(station, row, time);
            return `${title} ${value === null ? "not recorded" : `${Number(value.toPrecision(4))} ${station.unit}`}`;
        });
        return [new Date(time).toISOString(), ...values].join(" · ");
    }

    show(scene) {
        this.scene = scene;
        if (scene.lanes.length) Object.assign(this.element.dataset, { from: String(scene.from), to: String(scene.to) });
        else delete this.element.dataset.from;
        this.paint();
    }

    paint() {
        const { clientWidth: width, clientHeight: height } = this.frame;
        if (!this.scene || !width || !height) return;
        const ratio = devicePixelRatio || 1;
        if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
            this.canvas.width = Math.round(width * ratio);
            this.canvas.height = Math.round(height * ratio);
        }
        const pen = this.canvas.getContext("2d");
        pen.setTransform(ratio, 0, 0, ratio, 0, 0);
        pen.clearRect(0, 0, width, height);
        this.paintAll(pen, width, height, colours());
        this.place(this.line, this.cursor ?? null);
    }

    paintAll(pen, width, height, ink) {
        const { lanes, shades = [], selection } = this.scene;
        const inner = { x: LEFT, y: TOP, w: width - LEFT - RIGHT, h: height - TOP - BOTTOM };
        pen.font = `11px ${ink.font}`;
        shades.forEach((shade) => this.paintShade(pen, shade, inner, ink));
        this.paintAxis(pen, inner, ink);
        const weights = lanes.map(({ kind }) => (kind === "image" ? 1.7 : 1));
        const unit = (inner.h - GAP * (lanes.length - 1)) / weights.reduce((sum, weight) => sum + weight, 0);
        let top = inner.y;
        lanes.forEach((lane, i) => {
            const box = { ...inner, y: top, h: weights[i] * unit };
            (lane.kind === "image" ? this.paintImage : this.paintWave).call(this, pen, lane, box, ink);
            top += box.h + GAP;
        });
        shades.forEach((shade) => this.paintEdges(pen, shade, inner, ink));
        if (selection) this.paintSelection(pen, selection, inner, ink);
    }

    paintShade(pen, { from, to, colour, isLine }, box, ink) {
        const [left, right] = [Math.max(box.x, this.x(from)), Math.min(box.x + box.w, this.x(to))];
        if (right < box.x || left > box.x + box.w) return;
        pen.fillStyle = colour ?? (isLine ? ink.warn : ink.accent);
        if (isLine) return pen.fillRect(left, box.y - 3, Math.max(1, right - left), 3);
        pen.globalAlpha = 0.16;
        pen.fillRect(left, box.y, Math.max(1, right - left), box.h);
        pen.globalAlpha = 1;
    }

    /** Both ends of a span, its words at its beginning; of one that is but a line above the lanes, at its end. */
    paintEdges(pen, { from, to, colour, words, isLine }, box, ink) {
        pen.strokeStyle = colour ?? (isLine ? ink.warn : ink.accent);
        pen.fillStyle = ink.text;
        pen.setLineDash([5, 3]);
        for (const time of [from, to]) {
            const x = this.x(time);
            if (x < box.x || x > box.x + box.w) continue;
            stroke(pen, [[x, box.y - 3], [x, box.y + box.h]]);
        }
        pen.setLineDash([]);
        const [left, right] = [Math.max(box.x, this.x(from)), Math.min(box.x + box.w, this.x(to))];
        if (!words || right < left) return;
        const room = pen.measureText(words).width;
        pen.textAlign = "left";
        pen.fillText(words, isLine ? Math.max(box.x, right - room - 2) : Math.min(left + 2, box.x + box.w - room), box.y - 6);
    }

    paintSelection(pen, { from, to }, box, ink) {
        this.paintShade(pen, { from, to: to ?? from, colour: ink.warn }, box, ink);
        this.paintEdges(pen, { from, to: to ?? from, colour: ink.warn, words: "" }, box, ink);
    }

    paintAxis(pen, box, ink) {
        const span = (this.scene.to - this.scene.from) / 1000;
        const step = TICKS_S.find((each) => (span / each) * 92 < box.w) ?? 3600;
        pen.textAlign = "center";
        for (let time = Math.ceil(this.scene.from / 1000 / step) * step * 1000; time <= this.scene.to; time += step * 1000) {
            const x = this.x(time);
            pen.strokeStyle = ink.line;
            stroke(pen, [[x, box.y], [x, box.y + box.h + 4]]);
            pen.fillStyle = ink.muted;
            // The first would run into the date, the last out of the picture.
            if (x > box.x + 30 && x < box.x + box.w - 20) pen.fillText(clock(time, step), x, box.y + box.h + 16);
        }
        pen.textAlign = "left";
        pen.fillText(new Date(this.scene.from).toISOString().slice(0, 10), 2, box.y + box.h + 16);
    }

    paintTitle(pen, { title, note, strong }, box, ink) {
        pen.textAlign = "left";
        pen.fillStyle = ink.text;
        pen.font = `${strong ? "bold " : ""}12px ${ink.font}`;
        const middle = box.y + box.h / 2;
        pen.fillText(title, 4, note && box.h > 26 ? middle - 2 : middle + 4, LEFT - 8);
        pen.font = `10px ${ink.font}`;
        pen.fillStyle = ink.muted;
        if (note && box.h > 26) pen.fillText(note, 4, middle + 11, LEFT - 8);
        pen.font = `11px ${ink.font}`;
    }

    paintWave(pen, lane, box, ink) {
        this.paintTitle(pen, lane, box, ink);
        pen.save();
        pen.beginPath();
        pen.rect(box.x, box.y, box.w, box.h);
        pen.clip();
        pen.strokeStyle = ink.text;
        pen.lineWidth = 1;
        const { station, row, peak } = lane;
        const middle = box.y + box.h / 2;
        const y = (value) => middle - (value * row.scale * (box.h / 2)) / (peak || 1);
        const perPixel = (this.scene.to - this.scene.from) / 1000 / box.w;
        if (row.outline && perPixel > row.outline.step_s * 0.8) this.paintOutline(pen, station, row, box, y);
        else if (perPixel * station.sampling_rate_hz > 2) this.paintColumns(pen, station, row, box, y);
        else this.paintSamples(pen, station, row, y);
        pen.restore();
        pen.strokeStyle = ink.line;
        pen.strokeRect(box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
    }

    /** One upright stroke for each pixel, from the smallest to the largest value that `extreme(i)` gives between its times. */
    strokes(pen, box, start, step_s, count, extreme, y) {
        const width = (this.scene.to - this.scene.from) / box.w;
        pen.beginPath();
        let before = null; // so that strokes touch: a line has no holes
        for (let column = 0; column < box.w; column++) {
            const from = this.scene.from + column * width;
            const first = Math.floor((from - start) / 1000 / step_s);
            const last = Math.max(first + 1, Math.ceil((from + width - start) / 1000 / step_s));
            let low = Infinity, high = -Infinity;
            for (let i = Math.max(0, first); i < Math.min(count, last); i++) [low, high] = extreme(i, low, high);
            if (low > high) { before = null; continue; }
            const from_y = before === null ? high : Math.max(high, before[0]);
            const to_y = before === null ? low : Math.min(low, before[1]);
            pen.moveTo(box.x + column + 0.5, y(from_y) - 0.5);
            pen.lineTo(box.x + column + 0.5, y(to_y) + 0.5);
            before = [low, high];
        }
        pen.stroke();
    }

    paintOutline(pen, station, { outline: { values, bins, step_s } }, box, y) {
        const extreme = (i, low, high) => (values[i] === NOT_RECORDED ? [low, high]
            : [Math.min(low, values[i]), Math.max(high, values[bins + i])]);
        this.strokes(pen, box, station.start, step_s, bins, extreme, y);
    }

    paintColumns(pen, station, { values, mask }, box, y) {
        const extreme = (i, low, high) => (mask[i] ? [Math.min(low, values[i]), Math.max(high, values[i])] : [low, high]);
        this.strokes(pen, box, station.start, 1 / station.sampling_rate_hz, values.length, extreme, y);
    }

    paintSamples(pen, station, { values, mask }, y) {
        const step = 1000 / station.sampling_rate_hz;
        const [first, last] = indices(station.start, 1 / station.sampling_rate_hz, values.length, this.scene.from - step, this.scene.to + step);
        pen.beginPath();
        for (let i = first, down = false; i < last; i++) {
            const x = this.x(station.start + i * step);
            if (mask[i] && down) pen.lineTo(x, y(values[i]));
            else if (mask[i]) pen.moveTo(x, y(values[i]));
            down = Boolean(mask[i]);
        }
        pen.stroke();
    }

    paintImage(pen, lane, box, ink) {
        const { image, range_db: range } = lane;
        this.paintTitle(pen, lane, box, ink);
        pen.save();
        pen.beginPath();
        pen.rect(box.x, box.y, box.w, box.h);
        pen.clip();
        pen.imageSmoothingEnabled = false;
        const left = this.x(image.first);
        pen.drawImage(this.picture(image, range), left, box.y, this.x(image.last) - left, box.h);
        pen.restore();
        pen.fillStyle = ink.muted;
        pen.textAlign = "right";
        pen.fillText(`${Number(image.high_hz.toPrecision(3))} Hz`, box.x - 4, box.y + 10);
        pen.fillText(`${Number(image.low_hz.toPrecision(3))}`, box.x - 4, box.y + box.h - 2);
        pen.textAlign = "left";
        pen.strokeStyle = ink.line;
        pen.strokeRect(box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
    }

    /** The image in Viridis, `range` dB below its largest value and more in the darkest colour; what is missing stays clear. */
    picture(image, range) {
        const known = this.images.get(image);
        if (known?.range === range) return known.canvas;
        const { values, width, height, about: { floor_db: floor, peak_db: peak } } = image;
        const canvas = new OffscreenCanvas(width, height);
        const data = new ImageData(width, height);
        const table = Array.from({ length: 256 }, (_, level) => viridis(1 - (peak - (floor + ((level - 1) / 254) * (peak - floor))) / range));
        for (let row = 0; row < height; row++) {
            for (let column = 0; column < width; column++) {
                const level = values[row * width + column];
                const at = 4 * ((height - 1 - row) * width + column); // low frequencies below
                if (level) data.data.set(table[level], at);
            }
        }
        canvas.getContext("2d").putImageData(data, 0, 0);
        this.images.set(image, { range, canvas });
        return canvas;
    }
}

function viridis(share) {
    const at = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
    const [low, part] = [Math.min(Math.floor(at), VIRIDIS.length - 2), at - Math.min(Math.floor(at), VIRIDIS.length - 2)];
    return [...VIRIDIS[low].map((value, i) => Math.round(value + part * (VIRIDIS[low + 1][i] - value))), 255];
}

function stroke(pen, [[x0, y0], [x1, y1]]) {
    pen.beginPath();
    pen.moveTo(Math.round(x0) + 0.5, y0);
    pen.lineTo(Math.round(x1) + 0.5, y1);
    pen.stroke();
}
