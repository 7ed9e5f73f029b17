/** Reads a stored panel: the safetensors file that the worker wrote, number for number. */

const ARRAYS = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array, BOOL: Uint8Array };

/** Bytes that lie in planes (all first bytes, all second bytes, …) put back into numbers of `size` bytes. */
export function fromPlanes(bytes, size) {
    const count = bytes.length / size;
    const numbers = new Uint8Array(bytes.length);
    for (let plane = 0; plane < size; plane++) {
        for (let i = 0, from = plane * count, to = plane; i < count; i++, to += size) numbers[to] = bytes[from + i];
    }
    return new (size === 8 ? Float64Array : Float32Array)(numbers.buffer);
}

function tensorOf(name, { dtype, shape, data_offsets: [begin, end] }, buffer, start) {
    if (!(dtype in ARRAYS)) throw new Error(`Tensor ${name} of the panel is ${dtype}, which this page cannot read.`);
    if (start + end > buffer.byteLength) throw new Error(`The panel is cut short in tensor ${name}.`);
    // Sliced, because a view must begin at a multiple of its element's size.
    const values = new ARRAYS[dtype](buffer.slice(start + begin, start + end));
    if (!name.endsWith(":planes")) return [name, { shape, values }];
    return [name.slice(0, -":planes".length), { shape: shape.slice(1), values: fromPlanes(values, shape[0]) }];
}

/** ArrayBuffer → { metadata, tensors }; `tensors` as in `decodePanel`. */
function decodeFile(buffer) {
    const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
    if (headerLength > buffer.byteLength - 8) throw new Error("The panel is cut short: its header is longer than the file.");
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(
        new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)),
    );
    const named = Object.entries(entries).map(([name, entry]) => tensorOf(name, entry, buffer, 8 + headerLength));
    return { metadata, tensors: Object.fromEntries(named) };
}

/**
 * ArrayBuffer → { about, maps, tensors }. `about` holds the panel's facts; `maps` the relevance maps that there are to
 * look at (see relevanceMaps; none before a blind decision); `tensors` maps a name to { shape, values }, `values` a typed
 * array in row-major order. Throws where it is no panel.
 */
export function decodePanel(buffer) {
    const { metadata, tensors } = decodeFile(buffer);
    if (!metadata.panel) throw new Error("The file holds no panel: its metadata lack the key “panel”.");
    const about = JSON.parse(metadata.panel);
    return { about, maps: tensors.relevance ? relevanceMaps(about, tensors.relevance) : [], tensors };
}

/** Puts the maps that came later into a panel whose first came alone. */
export function completePanel(panel, buffer) {
    const { relevance: others } = decodeFile(buffer).tensors;
    const { relevance: first } = panel.tensors;
    if (!others?.shape[0]) return panel;
    const values = new Float32Array(first.values.length + others.values.length);
    values.set(first.values);
    values.set(others.values, first.values.length);
    panel.tensors.relevance = { shape: [first.shape[0] + others.shape[0], ...first.shape.slice(1)], values };
    panel.maps = relevanceMaps(panel.about, panel.tensors.relevance);
    return panel;
}

/**
 * One map for each target, then that of their difference: { target, against, explanation, tensor }, the tensor of shape
 * (components, freq, time), null while it is on its way. The difference is not stored: LRP-ε is linear, so it is the
 * first map minus the second.
 */
export function relevanceMaps({ explanations, difference = null }, { shape, values }) {
    const length = values.length / shape[0];
    const tensorAt = (i) => (i < shape[0] ? { shape: shape.slice(1), values: values.subarray(i * length, (i + 1) * length) } : null);
    const stored = explanations.map((explanation, i) => ({ target: explanation.target, against: null, explanation, tensor: tensorAt(i) }));
    if (!difference) return stored;
    const [first, second] = stored.map(({ tensor }) => tensor?.values);
    return [...stored, { target: difference.target, against: difference.against, explanation: difference,
        tensor: second ? { shape: shape.slice(1), values: first.map((value, i) => value - second[i]) } : null }];
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
