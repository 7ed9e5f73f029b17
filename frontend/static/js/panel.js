/** Reads a stored panel: the safetensors file that the worker wrote, number for number. */

const ARRAYS = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array, BOOL: Uint8Array };

/**
 * ArrayBuffer → { about, maps, tensors }. `about` holds the panel's facts; `maps` the relevance maps that there are to
 * look at (see relevanceMaps; none before a blind decision); `tensors` maps a name to { shape, values }, `values` a typed array in row-major order.
 * Throws where it is no panel.
 */
export function decodePanel(buffer) {
    const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
    if (headerLength > buffer.byteLength - 8) throw new Error("The panel is cut short: its header is longer than the file.");
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(
        new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)),
    );
    const tensors = {};
    for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(entries)) {
        if (!(dtype in ARRAYS)) throw new Error(`Tensor ${name} of the panel is ${dtype}, which this page cannot read.`);
        const start = 8 + headerLength;
        if (start + end > buffer.byteLength) throw new Error(`The panel is cut short in tensor ${name}.`);
        // Sliced, because a view must begin at a multiple of its element's size.
        tensors[name] = { shape, values: new ARRAYS[dtype](buffer.slice(start + begin, start + end)) };
    }
    if (!metadata.panel) throw new Error("The file holds no panel: its metadata lack the key “panel”.");
    const about = JSON.parse(metadata.panel);
    return { about, maps: tensors.relevance ? relevanceMaps(about, tensors.relevance) : [], tensors };
}

/**
 * One map for each target, then that of their difference: { target, against, explanation, tensor }, the tensor of shape
 * (components, freq, time). The difference is not stored: LRP-ε is linear, so it is the first map minus the second.
 */
export function relevanceMaps({ explanations, difference = null }, { shape, values }) {
    const length = values.length / shape[0];
    const stored = explanations.map((explanation, i) => ({ target: explanation.target, against: null, explanation,
        tensor: { shape: shape.slice(1), values: values.subarray(i * length, (i + 1) * length) } }));
    if (!difference) return stored;
    const [first, second] = stored.map(({ tensor }) => tensor.values);
    return [...stored, { target: difference.target, against: difference.against, explanation: difference,
        tensor: { shape: shape.slice(1), values: first.map((value, i) => value - second[i]) } }];
}

/** The vector at `index` of a tensor's leading axes, a view of its numbers. */
export function vector({ shape, values }, ...index) {
    const length = shape.at(-1);
    const place = index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
    return values.subarray(place * length, (place + 1) * length);
}

/** The matrix at `index` of a tensor's leading axes, as an array of row views. */
export function matrix(tensor, ...index) {
    return Array.from({ length: tensor.shape.at(-2) }, (_, row) => vector(tensor, ...index, row));
}

/** The largest |value| of a tensor; 1 where all is zero. */
export function largestMagnitude({ values }) {
    return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
}

/**
 * The |value| that a share of a tensor's numbers stays below; 1 where all is zero. A few cells of a map reach far beyond
 * all others: colours that fit them would leave the rest white.
 */
export function magnitudeBelowWhich({ values }, share) {
    const sizes = values.map(Math.abs).sort();
    return sizes[Math.min(sizes.length - 1, Math.floor(share * sizes.length))] || sizes.at(-1) || 1;
}

/** Spans [first, last] of indices where `mask` is 0: what was not recorded. */
export function gaps(mask) {
    const spans = [];
    for (let i = 0; i < mask.length; i++) {
        if (mask[i]) continue;
        const first = i;
        while (i + 1 < mask.length && !mask[i + 1]) i++;
        spans.push([first, i]);
    }
    return spans;
}
