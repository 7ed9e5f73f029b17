/** Colours that stand for numbers. */

// Viridis: perceptually uniform, and the same to colour-blind eyes.
export const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
// Blue speaks against the class, white says nothing, red speaks for it.
export const DIVERGING = ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#ffffff", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"];

/** Colours at even places from 0 to 1, as Plotly takes them. */
export const scale = (colours) => colours.map((colour, i) => [i / (colours.length - 1), colour]);
