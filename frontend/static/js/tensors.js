/** Reads a safetensors file: tensors, and one entry of JSON in its header. */

const ARRAYS = { F32: Float32Array, F64: Float64Array, I16: Int16Array, I32: Int32Array, I64: BigInt64Array, U8: Uint8Array, BOOL: Uint8Array };

/**
 * ArrayBuffer → { about, tensors }: the JSON under `key` (null where none is asked for), and { name: { shape, values } }.
 * Throws where it is no such file.
 */
export function decodeTensors(buffer, key = null) {
    const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
    if (headerLength > buffer.byteLength - 8) throw new Error("The answer is cut short: its header is longer than it is.");
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)));
    if (key && !metadata[key]) throw new Error(`The answer holds no ${key}.`);
    const tensors = {};
    for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(entries)) {
        const start = 8 + headerLength;
        if (start + end > buffer.byteLength) throw new Error(`The answer is cut short in tensor ${name}.`);
        // Sliced, because a view must begin at a multiple of its element's size.
        tensors[name] = { shape, values: new ARRAYS[dtype](buffer.slice(start + begin, start + end)) };
    }
    return { about: key ? JSON.parse(metadata[key]) : null, tensors };
}
