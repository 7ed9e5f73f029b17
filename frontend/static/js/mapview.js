/** The map on its canvas: points in their groups, moved and zoomed, pointed at, and gathered with a lasso. */
import { h } from "./dom.js";
import { drawingOrder, GREY, middles } from "./mapdata.js";
import { gridOf, inside, nearest } from "./mapgrid.js";
import { channels, contrast, Pixels, stampOf } from "./mapshapes.js";
import { colours } from "./timeline.js";

const MARGIN_PX = 24;
const NEAREST = 400, FARTHEST = 0.4; // zoom, 1 being the whole map
const CLICK_PX = 4, REACH_PX = 9;
// An event lies above the windows, and is meant before them.
const WINDOW_HANDICAP_PX = 2.5;
const FAINT = 1.9; // contrast below which a colour needs a dark edge, or a light one
const LARGEST_STAMP_PX = 60, EDGE_PX = 20; // device pixels: margin of the drawing, and how far out a point's edge is seen
const NUMBER_PX = 19; // what a cluster's number needs

export class MapView {
    /**
     * `onPoint(row)` hears what is pointed at (−1: nothing), `onClick(row)` clicks on a point, `onLasso(rows, takesAway)`
     * what was gathered.
     */
    constructor(frame, { onPoint, onClick, onLasso }) {
        Object.assign(this, { frame, onPoint, onClick, onLasso, points: null, isHidden: [], chosen: new Set(), asked: new Set(),
            ring: -1, path: null, pressed: null, isLasso: false, zoom: 1, middle: [0, 0], due: 0 });
        this.canvas = h("canvas", { tabindex: "0", role: "application", "aria-roledescription": "map of points" });
        this.over = h("canvas", { class: "map-over", "aria-hidden": "true" });
        this.tag = h("div", { class: "map-tag", hidden: true, "aria-hidden": "true" });
        frame.append(this.canvas, this.over, this.tag);
        new ResizeObserver(() => this.resize()).observe(frame);
        addEventListener("themechange", () => this.restyle());
        this.listen();
    }

    /* ---- what is shown ---- */

    /** Points of a map, their groups, and the keys of those that are hidden. */
    show(points, sorted, hidden) {
        if (points !== this.points) {
            this.grid = gridOf(points);
            const { left, right, bottom, top } = this.grid.extent;
            this.box = { x: (left + right) / 2, y: (bottom + top) / 2, width: right - left || 1, height: top - bottom || 1 };
            Object.assign(this, { points, middle: [this.box.x, this.box.y], zoom: 1 });
        }
        this.sorted = sorted;
        this.isHidden = sorted.groups.map(({ key }) => hidden.has(key));
        this.order = drawingOrder(points, sorted, this.grid.rows);
        this.middles = middles(points, sorted);
        this.restyle();
    }

    isShown = (row) => !this.isHidden[this.sorted.of[row]];

    restyle() {
        this.stamps = null;
        this.paint();
    }

    resize() {
        const ratio = devicePixelRatio || 1;
        const { clientWidth: width, clientHeight: height } = this.frame;
        if (!width || !height) return;
        for (const canvas of [this.canvas, this.over]) Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
        this.ratio = ratio;
        this.pixels = new Pixels(this.canvas.width, this.canvas.height, LARGEST_STAMP_PX);
        this.restyle();
    }

    /* ---- places ---- */

    /** Pixels of the page for a unit of the map. */
    get scale() {
        const { clientWidth, clientHeight } = this.frame;
        return this.zoom * Math.min((clientWidth - 2 * MARGIN_PX) / this.box.width, (clientHeight - 2 * MARGIN_PX) / this.box.height);
    }

    toMap([left, top]) {
        return [this.middle[0] + (left - this.frame.clientWidth / 2) / this.scale, this.middle[1] - (top - this.frame.clientHeight / 2) / this.scale];
    }

    toFrame([x, y]) {
        return [this.frame.clientWidth / 2 + (x - this.middle[0]) * this.scale, this.frame.clientHeight / 2 - (y - this.middle[1]) * this.scale];
    }

    place(row) {
        return this.toFrame([this.points.x[row], this.points.y[row]]);
    }

    /** Rows in view that are shown. */
    inView() {
        const { clientWidth: width, clientHeight: height } = this.frame;
        return inside(this.points, [[0, 0], [width, 0], [width, height], [0, height]].map((corner) => this.toMap(corner)), this.isShown);
    }

    /* ---- moving ---- */

    zoomAbout(factor, at = [this.frame.clientWidth / 2, this.frame.clientHeight / 2]) {
        const before = this.toMap(at);
        this.zoom = Math.min(NEAREST, Math.max(FARTHEST, this.zoom * factor));
        const after = this.toMap(at);
        this.middle = [this.middle[0] + before[0] - after[0], this.middle[1] + before[1] - after[1]];
        this.restyle();
    }

    pan(right, down) {
        this.middle = [this.middle[0] - right / this.scale, this.middle[1] + down / this.scale];
        this.paint();
    }

    whole() {
        Object.assign(this, { zoom: 1, middle: [this.box.x, this.box.y] });
        this.restyle();
    }

    /** Rings a point; one out of sight is brought to the middle. */
    point(row) {
        this.ring = row;
        if (row >= 0) {
            const [left, top] = this.place(row);
            const isOut = left < 0 || top < 0 || left > this.frame.clientWidth || top > this.frame.clientHeight;
            if (isOut) this.middle = [this.points.x[row], this.points.y[row]];
            if (isOut) this.paint();
        }
        this.paintOver();
    }

    /** Words beside the ringed point. */
    say(words) {
        this.tag.hidden = !words || this.ring < 0;
        if (this.tag.hidden) return;
        this.tag.replaceChildren(...words);
        this.placeTag();
    }

    placeTag() {
        const [left, top] = this.place(this.ring);
        const isRight = left + this.tag.offsetWidth + 20 > this.frame.clientWidth;
        this.tag.style.transform = `translate(${left}px, ${top}px) translate(${isRight ? "calc(-100% - 12px)" : "12px"}, -50%)`;
    }

    /* ---- the pointer ---- */

    listen() {
        const { canvas } = this;
        canvas.addEventListener("pointerdown", (event) => this.press(event));
        canvas.addEventListener("pointermove", (event) => this.move(event));
        canvas.addEventListener("pointerup", (event) => this.release(event));
        canvas.addEventListener("pointercancel", () => this.letGo());
        canvas.addEventListener("pointerleave", () => { if (!this.pressed && this.points) this.onPoint(-1); });
        canvas.addEventListener("wheel", (event) => {
            if (!this.points) return;
            event.preventDefault();
            const pixels = event.deltaMode ? 33 * event.deltaY : event.deltaY;
            this.zoomAbout(Math.exp(-Math.max(-300, Math.min(300, pixels)) / 400), this.at(event));
        }, { passive: false });
    }

    at({ clientX, clientY }) {
        const { left, top } = this.canvas.getBoundingClientRect();
        return [clientX - left, clientY - top];
    }

    press(event) {
        if (event.button !== 0 || !this.points) return;
        this.pressed = { first: this.at(event), last: this.at(event), isLasso: this.isLasso || event.shiftKey, isFar: false };
        this.canvas.setPointerCapture(event.pointerId);
    }

    move(event) {
        if (!this.points) return;
        const at = this.at(event);
        if (!this.pressed) return this.onPoint(this.under(at));
        const { first, last, isLasso } = this.pressed;
        this.pressed.isFar ||= Math.hypot(at[0] - first[0], at[1] - first[1]) > CLICK_PX;
        this.pressed.last = at;
        if (!this.pressed.isFar) return undefined;
        if (isLasso) {
            this.path ??= [first];
            this.path.push(at);
            return this.paintOver();
        }
        this.canvas.classList.add("moving");
        return this.pan(at[0] - last[0], at[1] - last[1]);
    }

    release(event) {
        const { pressed, path } = this;
        this.letGo();
        if (!pressed) return;
        if (path) this.onLasso(inside(this.points, path.map((place) => this.toMap(place)), this.isShown), event.altKey);
        else if (!pressed.isFar && this.under(pressed.first) >= 0) this.onClick(this.under(pressed.first));
    }

    /** Whatever was being dragged is dropped. */
    letGo() {
        Object.assign(this, { pressed: null, path: null });
        this.canvas.classList.remove("moving");
        this.paintOver();
    }

    under(at) {
        const [x, y] = this.toMap(at);
        const handicap = WINDOW_HANDICAP_PX / this.scale;
        return nearest(this.points, this.grid, x, y, REACH_PX / this.scale,
            (row) => (this.isShown(row) ? (this.points.event[row] < 0 ? handicap : 0) : Infinity));
    }

    /* ---- drawing ---- */

    /** Draws before the next picture, once however often it is asked. */
    paint() {
        this.due ||= requestAnimationFrame(() => {
            this.due = 0;
            this.paintNow();
        });
    }

    paintNow() {
        if (!this.points || !this.pixels) return;
        const begun = performance.now();
        this.stamps ??= this.makeStamps();
        const { pixels, points, order, sorted: { of }, isHidden, scale, ratio } = this;
        pixels.clear(channels(this.ink.surface));
        const step = scale * ratio;
        const left = pixels.width / 2 - this.middle[0] * step, top = pixels.height / 2 + this.middle[1] * step;
        for (const row of order) {
            const x = Math.round(left + points.x[row] * step), y = Math.round(top - points.y[row] * step);
            if (isHidden[of[row]] || x < -EDGE_PX || y < -EDGE_PX || x >= pixels.width + EDGE_PX || y >= pixels.height + EDGE_PX) continue;
            pixels.stamp(this.stamps[of[row]][points.event[row] < 0 ? 1 : 0], x, y);
        }
        const chosen = (row) => this.stamps[of[row]][points.event[row] < 0 ? 3 : 2];
        // Again the windows below.
        for (const isWindow of [true, false]) this.stampOver([...this.chosen].filter((row) => points.event[row] < 0 === isWindow), chosen, left, top, step);
        this.stampOver(this.asked, () => this.mark, left, top, step);
        pixels.put(this.canvas.getContext("2d"));
        this.paintOver();
        performance.measure("map drawn", { start: begun, end: performance.now() });
    }

    stampOver(rows, stampOfRow, left, top, step) {
        for (const row of rows) {
            const x = Math.round(left + this.points.x[row] * step), y = Math.round(top - this.points.y[row] * step);
            const isIn = x >= 0 && y >= 0 && x < this.pixels.width && y < this.pixels.height;
            if (isIn && this.isShown(row)) this.pixels.stamp(stampOfRow(row), x, y);
        }
    }

    /** px: larger where there are few, and nearer by. */
    get radius() {
        const few = Math.min(1.35, Math.max(0.85, 1.35 - 0.14 * Math.log10(Math.max(1, this.points.count / 300)) ** 2));
        return Math.min(9, 3.6 * few * Math.max(1, this.zoom) ** 0.3) * this.ratio;
    }

    /** Windows overlap where there are many: they are drawn the fainter, so that one sees how dense they are. */
    get opacity() {
        const many = Math.max(1, this.points.count / 2000) / Math.max(1, this.zoom) ** 1.5;
        return Math.min(0.75, Math.max(0.28, 0.75 - 0.33 * Math.log10(Math.max(1, many))));
    }

    /** Stamps of each group: an event, a window, and both when they are chosen. */
    makeStamps() {
        this.ink = colours();
        const surface = channels(this.ink.surface), muted = channels(this.ink.muted), text = channels(this.ink.text);
        const grey = muted.map((level, c) => Math.round(0.8 * level + 0.2 * surface[c]));
        const { radius, ratio, opacity } = this;
        this.mark = this.pixels.prepare(stampOf({ shape: "cross", radius: radius * 0.65, fill: text, outline: surface, edge: ratio }));
        return this.sorted.groups.map(({ colour, shape, isWindows }) => {
            const fill = colour === GREY ? grey : channels(colour);
            const outline = contrast(fill, surface) < FAINT ? muted : surface;
            const small = { shape: isWindows || radius < 6 ? "dot" : shape, fill, outline };
            return [{ shape, fill, outline, radius, edge: 0.9 * ratio }, { ...small, radius: radius * 0.5, edge: 0, opacity: isWindows ? opacity : opacity + 0.2 },
                { shape, fill, outline: text, radius: 1.1 * radius, edge: 2 * ratio }, { ...small, outline: text, radius: radius * 0.5, edge: 1.5 * ratio }]
                .map((facts) => this.pixels.prepare(stampOf(facts)));
        });
    }

    /** What lies over the points: numbers of clusters, the lasso, a ring round the point that is pointed at. */
    paintOver() {
        if (!this.points || !this.pixels || !this.ink) return;
        const pen = this.over.getContext("2d");
        pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
        pen.clearRect(0, 0, this.frame.clientWidth, this.frame.clientHeight);
        this.paintNumbers(pen);
        if (this.ring >= 0) this.placeTag();
        if (this.ring >= 0) circle(pen, this.place(this.ring), this.radius / this.ratio + 4, this.ink);
        if (this.path) lasso(pen, this.path, this.ink);
    }

    paintNumbers(pen) {
        Object.assign(pen, { font: `600 15px ${this.ink.font}`, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4,
            strokeStyle: this.ink.surface, fillStyle: this.ink.text });
        const taken = [];
        const isTaken = (left, top) => taken.some(([x, y]) => Math.abs(left - x) < NUMBER_PX && Math.abs(top - y) < NUMBER_PX);
        this.sorted.groups.forEach(({ mark }, group) => {
            if (!mark || this.isHidden[group]) return;
            let [left, top] = this.toFrame(this.middles[group]);
            while (isTaken(left, top)) top += 4;
            taken.push([left, top]);
            pen.strokeText(mark, left, top);
            pen.fillText(mark, left, top);
        });
    }
}

function circle(pen, [left, top], radius, ink) {
    for (const [width, colour] of [[5, ink.surface], [2, ink.text]]) {
        pen.beginPath();
        pen.arc(left, top, radius, 0, 2 * Math.PI);
        Object.assign(pen, { lineWidth: width, strokeStyle: colour });
        pen.stroke();
    }
}

function lasso(pen, path, ink) {
    pen.beginPath();
    path.forEach(([left, top]) => pen.lineTo(left, top));
    pen.closePath();
    Object.assign(pen, { fillStyle: ink.accent, strokeStyle: ink.accent, lineWidth: 1.5, globalAlpha: 0.15 });
    pen.fill();
    pen.globalAlpha = 1;
    pen.setLineDash([5, 3]);
    pen.stroke();
    pen.setLineDash([]);
}
