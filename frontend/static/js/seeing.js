/** How experts look at what lies around an event: sides, filter, gain, spectrogram. Kept for the sitting, shared by all views. */

const WHOLE = { side_s: 60, filtered: false, low_hz: 1, high_hz: 10, gain: 1, speed: 20, true_amplitudes: false,
    window_s: 1, overlap: 0.75, range_db: 40, max_hz: null };
const KEPT = "around";

export const SIDES_S = [60, 300, 900];
export const SPEEDS = [10, 20, 50, 100, 200, 400];
export const GAINS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128];
/** Settings of the spectrogram that a key steps through. */
const IMAGES = [
    { window_s: 1, overlap: 0.75 }, { window_s: 0.5, overlap: 0.9 }, { window_s: 0.25, overlap: 0.9 }, { window_s: 4, overlap: 0.75 },
];
const PRESETS = [{ low_hz: 1, high_hz: 10 }, { low_hz: 5, high_hz: 20 }, { low_hz: 10, high_hz: 40 }];

function remembered() {
    try {
        return { ...WHOLE, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
    } catch {
        return { ...WHOLE };
    }
}

export const seeing = remembered();

/** Change how things are seen; every view hears of it by the event "seeing", with the names that changed. */
export function see(changes) {
    const changed = Object.keys(changes).filter((name) => seeing[name] !== changes[name]);
    if (!changed.length) return;
    Object.assign(seeing, changes);
    localStorage.setItem(KEPT, JSON.stringify(seeing));
    document.dispatchEvent(new CustomEvent("seeing", { detail: changed }));
}

/** { low_hz, high_hz } as the API wants them; nulls where the filter is off or a corner is open. */
export function corners() {
    return seeing.filtered ? { low_hz: seeing.low_hz, high_hz: seeing.high_hz } : { low_hz: null, high_hz: null };
}

/** "5–20 Hz", "above 5 Hz", "as recorded". */
export function bandWords({ low_hz: low, high_hz: high } = corners()) {
    if (low === null && high === null) return "as recorded, without its mean";
    if (high === null) return `above ${low} Hz`;
    return low === null ? `below ${high} Hz` : `${low}–${high} Hz`;
}

/** The pass bands of an item's site. */
export function presetsOf(item, deps = {}) {
    const policy = item?.policy ?? (typeof deps.policy === "function" ? deps.policy() : deps.policy);
    return policy?.filter_presets?.length ? policy.filter_presets : PRESETS;
}

/** The neighbour of `value` in `list`, `step` places on, no further than its ends. */
export function neighbour(list, value, step) {
    const nearest = list.reduce((best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best));
    return list[Math.min(list.length - 1, Math.max(0, list.indexOf(nearest) + step))];
}

/** The filter on, with the pass band after the one in use. */
export function nextPreset(presets) {
    const at = presets.findIndex(({ low_hz: low, high_hz: high }) => seeing.filtered && low === seeing.low_hz && high === seeing.high_hz);
    const { low_hz: low, high_hz: high } = presets[(at + 1) % presets.length];
    see({ filtered: true, low_hz: low ?? null, high_hz: high ?? null });
}

/** The spectrogram's setting after the one in use. */
export function nextImage() {
    const at = IMAGES.findIndex(({ window_s: length, overlap }) => length === seeing.window_s && overlap === seeing.overlap);
    see(IMAGES[(at + 1) % IMAGES.length]);
}
