/** Controls of how waveforms are seen: pass band, gain, spectrogram. They change `seeing`; views follow it. */
import { h } from "./dom.js";
import { bandWords, GAINS, neighbour, see, seeing } from "./seeing.js";

function choice(text, isChosen, onclick, title = null) {
    return h("button", { type: "button", "aria-pressed": String(isChosen), onclick, title }, text);
}

function corner(name, words) {
    const input = h("input", { type: "number", min: "0.01", step: "any", size: "4", value: seeing[name] ?? "", "aria-label": `${words} corner of the filter in Hz`,
        name, placeholder: "–" });
    input.addEventListener("change", () => setCorner(input, name));
    return input;
}

/** An empty field leaves that side open; corners in the wrong order are not sent. */
function setCorner(input, name) {
    const value = input.value === "" ? null : Number(input.value);
    const next = { low_hz: seeing.low_hz, high_hz: seeing.high_hz, [name]: value };
    const isWrong = (value !== null && !(value > 0)) || (next.low_hz !== null && next.high_hz !== null && next.low_hz >= next.high_hz);
    input.setCustomValidity(isWrong ? "The lower corner must lie below the upper one, both above 0 Hz." : "");
    if (input.reportValidity()) see({ ...next, filtered: true });
}

/** Filter off, the site's presets, free corners; gain. */
export function bandControls(presets) {
    const isPreset = ({ low_hz: low, high_hz: high }) => seeing.filtered && low === seeing.low_hz && high === seeing.high_hz;
    return [
        h("div", { class: "row", role: "group", "aria-label": "Filter" },
            choice("Raw", !seeing.filtered, () => see({ filtered: false }), "As recorded: only the mean is taken away"),
            presets.map((band) => choice(bandWords({ low_hz: band.low_hz ?? null, high_hz: band.high_hz ?? null }), isPreset(band),
                () => see({ filtered: true, low_hz: band.low_hz ?? null, high_hz: band.high_hz ?? null }))),
            corner("low_hz", "Lower"), "–", corner("high_hz", "Upper"), "Hz", h("kbd", {}, "F")),
        h("div", { class: "row", role: "group", "aria-label": "Gain" },
            choice("−", false, () => see({ gain: neighbour(GAINS, seeing.gain, -1) }), "Smaller amplitudes"),
            h("output", { class: "number", "aria-label": "Gain" }, `×${seeing.gain}`),
            choice("+", false, () => see({ gain: neighbour(GAINS, seeing.gain, 1) }), "Larger amplitudes"), h("kbd", {}, "G")),
    ];
}

function setting(words, name, options, unit) {
    const select = h("select", { "aria-label": words, name, title: words, onchange: () => see({ [name]: select.value === "" ? null : Number(select.value) }) },
        options.map((value) => h("option", { value: value ?? "", selected: value === seeing[name] }, value === null ? "all" : unit(value))));
    return select;
}

/** Window, overlap, depth and highest frequency of the spectrogram. */
export function imageControls() {
    return h("div", { class: "row", role: "group", "aria-label": "Spectrogram" }, h("span", { class: "muted" }, "Spectrogram"),
        setting("Length of a window", "window_s", [0.25, 0.5, 1, 2, 4, 8], (value) => `${value} s`),
        setting("Overlap of windows", "overlap", [0, 0.5, 0.75, 0.9], (value) => `${100 * value} % over`),
        setting("Decibels below the largest value", "range_db", [30, 40, 60, 80, 100], (value) => `${value} dB`),
        setting("Highest frequency", "max_hz", [10, 20, 40, 60, 100, null], (value) => `to ${value} Hz`), h("kbd", {}, "V"));
}
