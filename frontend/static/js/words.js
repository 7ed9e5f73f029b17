/** A relevance map in words, and the account that shows whether to believe it. */
import { h } from "./dom.js";

// Maps are drawn in float32; what rounding leaves of a sum of 20,000 numbers is far below this share of the logit.
const TOLERANCE = 1e-3;

const figure = (value) => value.toFixed(3).replace("-", "−");
const share = (part, whole) => `${Math.round((100 * part) / whole)} %`.replace("-", "−");

/** Sum of the map of target `index`, over what is drawn. */
export function mapSum({ shape, values }, index) {
    const length = values.length / shape[0];
    let sum = 0;
    for (let i = index * length; i < (index + 1) * length; i++) sum += values[i];
    return sum;
}

/** logit = map + biases + ε, with the map as drawn: { parts, error, holds }. */
export function account(explanation, drawn) {
    const { logit, biases, stabiliser } = explanation;
    const error = Math.max(explanation.error, Math.abs(logit - drawn - biases - stabiliser));
    return { parts: { logit, map: drawn, biases, stabiliser }, error, holds: error <= TOLERANCE * Math.max(1, Math.abs(logit)) };
}

function accountLine({ parts: { logit, map, biases, stabiliser }, error, holds }) {
    const shares = logit === 0 ? "" : ` (map ${share(map, logit)}, biases ${share(biases, logit)})`;
    const sum = `logit ${figure(logit)} = map ${figure(map)} + biases ${figure(biases)} + ε ${figure(stabiliser)}${shares}, error ${error.toExponential(0)}`;
    return h("p", { class: holds ? "account" : "account wrong", "data-conserved": String(holds) },
        holds ? `Account: ${sum}.` : `Do not trust this map: its parts do not sum to the logit. Account: ${sum}.`);
}

/** Two lines for the map of target `index`. `nameOf` gives a class's name. */
export function inWords({ about, tensors }, index, nameOf) {
    const explanation = about.explanations[index];
    const checked = account(explanation, mapSum(tensors.relevance, index));
    return [h("p", {}, h("strong", {}, `Why ${nameOf(explanation.target)}: `), explanation.text), accountLine(checked)];
}
