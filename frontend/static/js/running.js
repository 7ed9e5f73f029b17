/** The header's word on long work: which run of this site is under way, and how far it is. */
import { get } from "./api.js";

const SOON_MS = 4000;
const LATER_MS = 30000;
const sign = document.getElementById("running");
let next = 0;

/** What is under way and how far: ["2 runs: training ", "43 %"] */
export function words(runs) {
    const [first] = runs;
    return [`${runs.length > 1 ? `${runs.length} runs: ` : ""}${first.kind_text} `, first.state === "queued" ? "waiting" : `${Math.floor(100 * first.progress)} %`];
}

/** Runs that have not ended, those that are worked on first. */
export function underWay(runs) {
    const waits = ({ state }) => Number(state === "queued");
    return runs.filter(({ state }) => state === "running" || state === "queued").sort((a, b) => waits(a) - waits(b) || a.id - b.id);
}

function show(runs) {
    sign.hidden = runs.length === 0;
    if (!runs.length) return;
    sign.href = `/runs/${runs[0].id}/`;
    sign.querySelector(".bar > span").style.setProperty("--share", runs[0].progress.toFixed(3));
    const said = words(runs);
    [sign.querySelector(".what").textContent, sign.querySelector(".how").textContent] = said;
    sign.title = said.join(""); // narrow windows show how far only
}

async function look() {
    clearTimeout(next);
    if (!document.hidden) {
        try {
            show(underWay((await get(`/api/v1/runs/?site=${sign.dataset.site}&page_size=20`)).results));
        } catch {
            // Offline for a moment, or signed out: the page itself says so where it matters.
        }
    }
    clearTimeout(next);
    next = setTimeout(look, sign.hidden ? LATER_MS : SOON_MS);
}

next = setTimeout(look, sign.hidden ? LATER_MS : SOON_MS);
document.addEventListener("runstarted", look);
