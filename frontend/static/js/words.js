/** A relevance map in words and shares, and the two checks that show whether to believe it. */
import { h } from "./dom.js";

// Maps are drawn in float32; what rounding leaves of a sum of 20,000 numbers is far below this share of the logit.
const TOLERANCE = 1e-3;

const figure = (value) => value.toFixed(3).replace("-", "−");
const percent = (share) => `${Math.round(100 * share)} %`.replace("-", "−");

/** What a map speaks for: “Rockfall”, or “Rockfall, not Quake”. `nameOf` gives a class's name. */
export function mapName({ target, against }, nameOf) {
    return against ? `${nameOf(target)}, not ${nameOf(against)}` : nameOf(target);
}

/** Sum of a map, over what is drawn. */
export function mapSum({ values }) {
    return values.reduce((sum, value) => sum + value, 0);
}

/** logit = map + attributes + biases + ε, with the map as drawn: { parts, error, holds }. */
export function account({ logit, biases, stabiliser, attributes = 0, error: stored }, drawn) {
    const error = Math.max(stored, Math.abs(logit - drawn - attributes - biases - stabiliser));
    return { parts: { logit, map: drawn, attributes, biases, stabiliser }, error, holds: error <= TOLERANCE * Math.max(1, Math.abs(logit)) };
}

function accountLine({ parts: { logit, map, attributes, biases, stabiliser }, error, holds }, against) {
    const part = (name, value) => `${name} ${figure(value)}${logit ? ` (${percent(value / logit)})` : ""}`;
    const parts = [part("map", map), ...(attributes ? [part("attributes", attributes)] : []), part("biases", biases), `ε ${figure(stabiliser)}`];
    const sum = `${against ? "difference of the logits" : "logit"} ${figure(logit)} = ${parts.join(" + ")}, error ${error.toExponential(0).replace("-", "−")}`;
    return h("p", { class: holds ? "account" : "account wrong", "data-conserved": String(holds) },
        holds ? `Account: ${sum}.` : `Do not trust this map: its parts do not sum to the logit. Account: ${sum}.`);
}

/** Does the network miss what the map calls relevant? */
function deletionLine({ deletion }) {
    if (!deletion) return null;
    const better = deletion.area < deletion.random_area;
    return h("p", { class: better ? "account" : "account wrong", "data-faithful": String(better) }, h("b", {}, "Deletion: "), deletion.text);
}

const band = ({ low_hz: low, high_hz: high }) => `${low}–${high} Hz`;

/** Groups of shares: [name, [[part, share], …]]. Parts that hold nothing stay: an empty band is an answer. */
export function shareGroups({ bands = [], bands_left_out: silent = [], outside_band: outside, components = {}, moments = {} }) {
    const beyond = outside === undefined ? [] : [["outside the model’s band", outside]];
    const unheard = silent.length ? `, not ${silent.map(([low, high]) => band({ low_hz: low, high_hz: high })).join(", ")}: beyond the model’s band` : "";
    return [
        [`Frequency${unheard}`, [...bands.map((one) => [band(one), one.share]), ...beyond]],
        ["Time", [["before", moments.before], ["in the event", moments.within], ["after", moments.after]]],
        ["Component", Object.entries(components)],
    ].map(([name, parts]) => [name, parts.filter(([, share]) => share !== undefined)]).filter(([, parts]) => parts.length);
}

function shares(explanation) {
    const groups = shareGroups(explanation).map(([name, parts]) => h("div", { class: "share-group", role: "group", "aria-label": `Relevance by ${name}`, title: name },
        parts.map(([part, share]) => h("span", { class: "share", style: { "--share": String(share) } }, `${part} `, h("b", {}, percent(share))))));
    return h("div", { class: "shares", "data-shares": "" }, groups, attributes(explanation));
}

function attributes({ top_attributes: top = [], attributes_share: part }) {
    if (!top.length) return null;
    const named = top.slice(0, 3).map(({ name, relevance }) => `${name} ${figure(relevance)}`).join(", ");
    return h("p", { class: "account", "data-attributes": "" }, `Attributes beside the map${part === null ? "" : ` hold ${percent(part)} of the logit`}: ${named}.`);
}

/** What is said of the map at `index`: why, its shares, and both checks. `nameOf` gives a class's name. */
export function inWords({ maps }, index, nameOf) {
    const { explanation, tensor, against } = maps[index];
    return [
        h("p", {}, h("strong", {}, `Why ${mapName(maps[index], nameOf)}: `), explanation.text),
        shares(explanation),
        deletionLine(explanation),
        accountLine(account(explanation, mapSum(tensor)), against),
    ].filter(Boolean);
}
