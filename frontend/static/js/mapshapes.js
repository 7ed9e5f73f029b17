/** Points as small pictures, and a canvas's worth of pixels that they are stamped into: 50,000 in a few milliseconds. */

const FINE = 4; // samples a pixel along each axis, for soft edges

// Whether (x, y) lies in the shape; its reach is about 1, all of about the same area.
const INSIDE = {
    circle: (x, y) => x * x + y * y <= 1,
    dot: (x, y) => x * x + y * y <= 1,
    ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.3,
    square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.88,
    diamond: (x, y) => Math.abs(x) + Math.abs(y) <= 1.25,
    triangle: (x, y) => y <= 0.8 && Math.abs(x) <= (y + 1.25) * 0.62,
    down: (x, y) => y >= -0.8 && Math.abs(x) <= (1.25 - y) * 0.62,
    plus: (x, y) => (Math.abs(x) <= 0.42 && Math.abs(y) <= 1.25) || (Math.abs(y) <= 0.42 && Math.abs(x) <= 1.25),
    cross: (x, y) => (Math.abs(x - y) <= 0.6 && Math.abs(x + y) <= 1.75) || (Math.abs(x + y) <= 0.6 && Math.abs(x - y) <= 1.75),
    bar: (x, y) => Math.abs(x) <= 1.35 && Math.abs(y) <= 0.55,
    star: (x, y) => Math.hypot(x, y) <= 0.8 + 0.5 * Math.cos(5 * Math.atan2(x, -y)),
};

/** "#rrggbb", "rgb(…)" → [red, green, blue] */
export function channels(colour) {
    const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
    return hex ? hex.slice(1).map((pair) => Number.parseInt(pair, 16)) : (colour.match(/\d+/g) ?? [128, 128, 128]).slice(0, 3).map(Number);
}

function luminance(colour) {
    const [red, green, blue] = colour.map((level) => (level <= 10 ? level / 3294.6 : ((level / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast of two colours as WCAG 2 measures it, 1 to 21. */
export function contrast(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}

/** Share of each pixel that the shape covers: { half, values } of (2·half + 1)² pixels. */
function coverage(shape, radius, half) {
    const side = 2 * half + 1;
    const values = new Float32Array(side * side);
    for (let row = 0; row < side * FINE; row++) {
        for (let column = 0; column < side * FINE; column++) {
            const place = (at) => ((at + 0.5) / FINE - half - 0.5) / radius;
            if (INSIDE[shape](place(column), place(row))) values[Math.floor(row / FINE) * side + Math.floor(column / FINE)] += 1 / FINE ** 2;
        }
    }
    return values;
}

/**
 * A shape of `radius` px with an edge of `edge` px round it: { dx, dy, alpha (0–255), colour (three a pixel) }, its
 * empty pixels left out.
 */
export function stampOf({ shape, radius, fill, outline, edge = 1, opacity = 1 }) {
    const half = Math.ceil(1.4 * (radius + edge)), side = 2 * half + 1;
    const inner = coverage(shape, radius, half);
    const outer = edge ? coverage(shape === "ring" ? "circle" : shape, radius + edge, half) : inner;
    const pixels = [...outer.keys()].filter((i) => outer[i] > 0.02);
    return {
        dx: Int32Array.from(pixels, (i) => (i % side) - half),
        dy: Int32Array.from(pixels, (i) => Math.floor(i / side) - half),
        alpha: Uint8Array.from(pixels, (i) => Math.round(255 * opacity * Math.min(1, Math.max(outer[i], inner[i])))),
        colour: Uint8Array.from(pixels.flatMap((i) => fill.map((level, c) => {
            const share = Math.min(1, inner[i] / outer[i]);
            return Math.round(share * level + (1 - share) * outline[c]);
        }))),
        half,
    };
}

/** Pixels of a canvas with a margin round them, so that what is stamped near an edge needs no care. */
export class Pixels {
    constructor(width, height, margin) {
        Object.assign(this, { width, height, margin, stride: width + 2 * margin });
        this.image = new ImageData(this.stride, height + 2 * margin);
        this.words = new Int32Array(this.image.data.buffer); // opaque, a pixel each: 0xff, blue, green, red
    }

    clear([red, green, blue]) {
        this.words.fill((255 << 24) | (blue << 16) | (green << 8) | red);
    }

    /**
     * Makes a stamp ready for this width: where each of its pixels lies from its middle, what it adds to red and blue
     * and to green, and how much it leaves of what is there, in 256ths. Red and blue go in one multiplication.
     */
    prepare({ dx, dy, alpha, colour }) {
        const share = (i) => alpha[i] + (alpha[i] >> 7);
        return {
            offsets: Int32Array.from(dx, (x, i) => dy[i] * this.stride + x),
            redBlue: Int32Array.from(dx, (_, i) => Math.imul((colour[3 * i + 2] << 16) | colour[3 * i], share(i))),
            green: Int32Array.from(dx, (_, i) => (colour[3 * i + 1] << 8) * share(i)),
            rest: Int32Array.from(dx, (_, i) => 256 - share(i)),
        };
    }

    /** Lays a prepared stamp over what is there, its middle at a pixel of the canvas. */
    stamp({ offsets, redBlue, green, rest }, x, y) {
        const middle = (y + this.margin) * this.stride + x + this.margin;
        const { words } = this;
        for (let i = 0; i < offsets.length; i++) {
            const at = middle + offsets[i], under = words[at];
            words[at] = (255 << 24) | (((redBlue[i] + Math.imul(under & 0xff00ff, rest[i])) >>> 8) & 0xff00ff)
                | (((green[i] + Math.imul(under & 0xff00, rest[i])) >>> 8) & 0xff00);
        }
    }

    put(pen) {
        pen.putImageData(this.image, -this.margin, -this.margin);
    }
}
