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

/** What a box says it was drawn on: “rockfall”, “rockfall, not quake”, or the STFT where no map is shown. */
export function mapId(map) {
    return map ? mapName(map, (code) => code) : "stft";
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
    return h("div", { class: "shares", "data-shares": "" }, groups, attributesShare(explanation));
}

/** How much of the logit does not come from the map at all. */
function attributesShare({ top_attributes: top = [], attributes_share: part }) {
    if (!top.length || part === null || part === undefined) return null;
    return h("span", { class: "share", style: { "--share": String(Math.min(1, Math.max(0, part))) } }, "attributes beside the map ", h("b", {}, Math.abs(part) > 1 ? "outweigh it" : percent(part)));
}

function attributes({ top_attributes: top = [], attributes_share: part }) {
    if (!top.length) return null;
    const named = top.slice(0, 3).map(({ name, relevance }) => `${name} ${figure(relevance)}`).join(", ");
    return h("p", { class: "account", "data-attributes": "" }, `Attributes beside the map${part === null ? "" : ` hold ${percent(part)} of the logit`}: ${named}.`);
}

/** What a map says, in two lines: why, and its shares. `nameOf` gives a class's name. */
export function mapWords({ maps }, index, nameOf) {
    const { explanation } = maps[index];
    return [h("p", { class: "because" }, h("strong", {}, `Why ${mapName(maps[index], nameOf)}: `), explanation.text), shares(explanation)];
}

/** The figures behind the checks of the map at `index`, a line each; `randomisation` is the model's verdict, or null. */
export function checkLines({ maps }, index, randomisation = null) {
    const { explanation, tensor, against } = maps[index];
    return [
        attributes(explanation),
        deletionLine(explanation),
        randomisation ? h("p", { class: randomisation.passed ? "account" : "account wrong", "data-randomised": String(randomisation.passed) },
            h("b", {}, "Randomisation: "), randomisation.text) : null,
        accountLine(account(explanation, mapSum(tensor)), against),
    ].filter(Boolean);
}

/** All that is said of the map at `index`: why, its shares, and its checks. `nameOf` gives a class's name. */
export function inWords(panel, index, nameOf) {
    return [...mapWords(panel, index, nameOf), ...checkLines(panel, index)];
}

/**
 * Whether to believe the map at `index`, check by check: { name, passed, words }; `passed` is null where it was not made.
 * Conservation is of this map as drawn, deletion of this map, randomisation of the model that made it.
 */
export function checks({ maps }, index, randomisation) {
    const { explanation, tensor } = maps[index];
    const { deletion } = explanation;
    return [
        { name: "conservation", passed: account(explanation, mapSum(tensor)).holds, yes: "the map’s parts add up to the logit",
            no: "does not add up: do not trust this map" },
        { name: "deletion", passed: deletion ? deletion.area < deletion.random_area : null,
            yes: "the network misses what the map calls relevant", no: "no better than cells at random" },
        { name: "randomisation", passed: randomisation ? randomisation.passed : null,
            yes: "maps of this model depend on its weights", no: "hardly depends on the weights" },
    ].map(({ name, passed, yes, no }) => ({ name, passed, words: passed ? yes : no }));
}

/** A badge for each check; grey with a warning where one fails. */
export function checkBadges(panel, index, randomisation) {
    return checks(panel, index, randomisation).filter(({ passed }) => passed !== null).map(({ name, passed, words }) =>
        h("span", { class: passed ? "badge good" : "badge doubtful", "data-check": name, "data-passed": String(passed), title: words },
            h("span", { "aria-hidden": "true" }, passed ? "✓ " : "⚠ "), passed ? name : `${name}: ${words}`,
            passed ? h("span", { class: "visually-hidden" }, `: ${words}`) : null));
}
